//! Now and then: is what we hold of a node still there? FreeSWITCH drops events silently when a connection's queue is
//! full (esl spec 3.3), and a hangup that nobody told leaves a call on our books for ever.

use std::sync::Arc;

use super::super::call::CallError;
use super::super::context::Context;
use super::super::wire::{CommandFailure, CommandQueue};
use super::handle::Node;
use super::resync;

/// Legs asked about in one round. FreeSWITCH answers each in some microseconds, but serves nothing else meanwhile.
const LEGS_AT_ONCE: usize = 256;

/// Asks about the legs that we drive, `turn` by `turn` if they are many, and about those adrift. A leg that is gone is
/// let go; one adrift that has nothing left to do is ended.
pub(super) async fn legs(
    node: &Node,
    context: &Arc<Context>,
    queue: &Arc<CommandQueue>,
    turn: &mut usize,
) -> Result<(), CommandFailure> {
    let mut held = node.0.legs.all();
    held.sort_by_key(|leg| leg.state.uuid());
    if *turn >= held.len() {
        *turn = 0;
    }
    for leg in held.iter().skip(*turn).take(LEGS_AT_ONCE) {
        let uuid = leg.state.uuid();
        if resync::api(queue, "uuid_exists", &uuid).await? != "false" || leg.state.has_ended() {
            continue;
        }
        tracing::warn!(
            call_id = %uuid,
            node = %node.name(),
            "the call is gone and nobody told: FreeSWITCH has dropped events"
        );
        leg.state.lose(CallError::Hungup);
        leg.state.finish();
    }
    *turn += LEGS_AT_ONCE;
    for uuid in node.0.adrift.all() {
        resync::look_after(node, context, queue, &uuid, false).await?;
    }
    Ok(())
}
