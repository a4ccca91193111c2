//! `/pivot/debug`: what was said between us and customers' servers that tell calls what to do (API specification 4.12).

use crate::api::reply::{Outcome, Refusal, Reply};
use crate::api::request::Asked;
use crate::api::routes::{Gives, On, Routes};

pub(super) fn routes(routes: &mut Routes) {
    routes.at("/accounts/{account}/pivot/debug").get(
        On::new("Conversations with servers that were recorded", |_| async {
            Ok(Reply::rows(Vec::new()))
        })
        .gives(Gives::Rows),
    );
    routes
        .at("/accounts/{account}/pivot/debug/{debug}")
        .get(On::new("What was said in a conversation, or during a call", one).gives(Gives::Rows));
}

/// No server is asked anything yet, so that there is nothing under any id.
async fn one(asked: Asked) -> Outcome {
    Err(Refusal::bad_identifier(asked.parameter("debug")))
}
