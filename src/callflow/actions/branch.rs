//! `callflow`: runs another callflow of the account, then comes back to its own `_`.

use serde::Deserialize;

use crate::callflow::{Action, Call, Flow, Foreseen, Next, Office, Outcome, Stage};
use crate::store::StoreError;
use crate::types::DocumentId;

pub struct Branch;

#[derive(Debug, Deserialize)]
pub struct Data {
    id: DocumentId,
}

fn next(data: &Data, call: &Call, office: &Office<'_>) -> Result<Next, StoreError> {
    let callflow = office.store.callflow(&call.account_id, &data.id)?;
    let branch = |callflow| Next::Branch(Flow::Callflow(callflow));
    Ok(callflow.map_or(Next::Continue, branch))
}

impl Action for Branch {
    const MODULE: &'static str = "callflow";
    type Data = Data;

    fn foresee(data: Data, call: &Call, office: &Office<'_>) -> Result<Foreseen, StoreError> {
        Ok(Foreseen::Next(next(&data, call, office)?))
    }

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        let next = next(&data, &stage.call, &stage.office())?;
        if next == Next::Continue {
            tracing::warn!(
                call_id = %stage.call.id,
                account_id = %stage.call.account_id,
                action = Self::MODULE,
                callflow = %data.id,
                "there is no such callflow; the flow goes on at _"
            );
        }
        Ok(next)
    }
}
