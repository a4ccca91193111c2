//! The OpenAPI document, for clients that ask the daemon itself.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::api::openapi;
use crate::api::reply::{Outcome, Reply};
use crate::api::routes::{Access, Gives, On, Routes};

/// The routes of a daemon do not change while it runs.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document = openapi::document(&super::routes());
    Bytes::from(document.to_string())
});

pub(super) fn routes(routes: &mut Routes) {
    routes.at("/openapi.json").get(
        On::new("This document", |_| async { fetch() })
            .access(Access::Open)
            .gives(Gives::Bytes),
    );
}

fn fetch() -> Outcome {
    Ok(Reply::bytes("application/json", DOCUMENT.clone()))
}
