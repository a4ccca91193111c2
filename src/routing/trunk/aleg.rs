//! What is set on the A-leg before the first attempt (trunkstore specification 2.1, 2.5, 3.1).

use super::leaving::Behalf;
use super::world::Place;
use crate::routing::Variables;
use crate::routing::carriers::Sender;
use crate::types::AccountId;

/// So that the daemon, not FreeSWITCH, says what follows on a failed attempt, and with which status
/// the call ends: without `sip_ignore_remote_cause` the status of an earlier carrier would go out.
fn hunting() -> Variables {
    let mut aleg = Variables::default();
    aleg.set_bool("hangup_after_bridge", true);
    aleg.set_bool("continue_on_fail", true);
    aleg.set_bool("sip_ignore_remote_cause", true);
    aleg
}

/// Of a call from a carrier.
pub fn of_carrier(account: &AccountId, sender: Option<&Sender>) -> Variables {
    let mut aleg = hunting();
    aleg.set("lf_account_id", account.as_str());
    aleg.set("lf_direction", "inbound");
    aleg.set("lf_authorizing_type", "resource");
    if let Some(sender) = sender {
        aleg.set("lf_authorizing_id", sender.id.as_str());
        aleg.set("lf_resource_id", sender.id.as_str());
    }
    aleg
}

/// Of a call that a sister node hands over.
pub fn of_sister(place: &Place) -> Variables {
    let mut aleg = hunting();
    aleg.set("lf_account_id", place.account.as_str());
    aleg.set("lf_direction", "inbound");
    aleg.set("lf_authorizing_type", "sister");
    aleg
}

/// Of a call that an account makes.
pub fn of_caller(account: &AccountId, behalf: Behalf<'_>) -> Variables {
    let mut aleg = hunting();
    aleg.set("lf_account_id", account.as_str());
    aleg.set("lf_direction", "outbound");
    behalf.mark(&mut aleg);
    aleg
}
