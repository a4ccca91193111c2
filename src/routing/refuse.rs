//! Why a device gets no leg, and which cause the caller then hears (devices specification 7).

use super::merge::Merged;
use super::plan::{DialRequest, Explain, LegError, Member, NoLeg, Skipped, Source};
use crate::types::{DocumentId, HangupCause};

impl LegError {
    /// Place in the order of checks; of several errors of one device the first decides.
    const fn rank(self) -> u8 {
        self as u8
    }

    const fn is_busy(self) -> bool {
        matches!(self, LegError::UserBusy | LegError::DoNotDisturb)
    }
}

/// The checks that concern the device as a whole, in the specified order. What is left to check,
/// `user_busy` first, concerns the device's own leg only.
///
/// # Errors
/// The first check that refuses.
pub fn check(
    request: &DialRequest<'_>,
    member: &Member,
    endpoint: &Merged<'_>,
    explain: &mut dyn Explain,
) -> Result<(), LegError> {
    let owner = endpoint.owner.map(|(id, _)| id);
    if !request.account.is_enabled() {
        return Err(LegError::AccountDisabled);
    }
    if !endpoint.device.is_some_and(|device| device.is_enabled()) {
        return Err(LegError::EndpointDisabled);
    }
    if endpoint.owner.is_some_and(|(_, user)| !user.is_enabled()) {
        return Err(LegError::OwnerDisabled);
    }
    self_call(request, &member.device_id, owner)?;
    if let Some(level) = endpoint.do_not_disturb() {
        explain.note("do_not_disturb", format_args!("asked for by the {level}"));
        return Err(LegError::DoNotDisturb);
    }
    let excluded = endpoint
        .device
        .is_some_and(|device| device.exclude_from_queues);
    if request.source == Source::Queue && excluded {
        return Err(LegError::ExcludeFromQueues);
    }
    if request.forward_chain.contains(&member.device_id) {
        explain.note(
            "forward",
            format_args!("the device forwarded this call already"),
        );
        return Err(LegError::ForwardLoop);
    }
    Ok(())
}

/// A caller doesn't ring its own phones. `can_call_self` allows it, except that in a group the
/// very phone that is calling is never rung.
fn self_call(
    request: &DialRequest<'_>,
    device: &DocumentId,
    owner: Option<&DocumentId>,
) -> Result<(), LegError> {
    let allowed = request.options.can_call_self;
    let same_owner = owner.is_some() && owner == request.caller.owner_id.as_ref();
    if same_owner && !allowed {
        return Err(LegError::OwnerCalledSelf);
    }
    let same_device = request.caller.device_id.as_ref() == Some(device);
    if same_device && !(allowed && request.source == Source::Device) {
        return Err(LegError::EndpointCalledSelf);
    }
    Ok(())
}

/// `call_waiting` off: no second call while the owner is on one.
///
/// # Errors
/// `UserBusy`.
pub fn busy(
    member: &Member,
    endpoint: &Merged<'_>,
    explain: &mut dyn Explain,
) -> Result<(), LegError> {
    match endpoint.call_waiting() {
        (false, Some(level)) if member.on_a_call => {
            explain.note(
                "call_waiting",
                format_args!("off, says the {level}, and on a call"),
            );
            Err(LegError::UserBusy)
        }
        _ => Ok(()),
    }
}

/// The error of a device that has no leg at all, out of those met while building its legs.
#[must_use]
pub fn first(errors: &[LegError]) -> Option<LegError> {
    errors.iter().copied().min_by_key(|error| error.rank())
}

/// Nobody is left. `failed` holds one error for each device, in member order.
#[must_use]
pub fn nobody(failed: &[LegError], skipped: Vec<Skipped>) -> NoLeg {
    let find = |wanted: fn(LegError) -> bool| failed.iter().copied().find(|e| wanted(*e));
    let not_registered = |error| error == LegError::NotRegistered;
    let error = find(LegError::is_busy)
        .or_else(|| find(not_registered))
        .or(failed.first().copied())
        .unwrap_or(LegError::NotFound);
    let cause: HangupCause = error.cause();
    NoLeg {
        error,
        cause,
        skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_is_decided_by_the_order_of_checks() {
        use LegError::{ForwardLoop, InvalidForwardNumber, NotRegistered, UserBusy};
        assert_eq!(
            first(&[NotRegistered, InvalidForwardNumber]),
            Some(InvalidForwardNumber)
        );
        assert_eq!(first(&[UserBusy, ForwardLoop]), Some(ForwardLoop));
        assert_eq!(first(&[]), None);
    }

    #[test]
    fn several_devices_are_busy_before_they_are_not_registered() {
        use LegError::{DoNotDisturb, EndpointDisabled, NotFound, NotRegistered, UserBusy};
        let decide = |failed: &[LegError]| {
            let no_leg = nobody(failed, Vec::new());
            (no_leg.error, no_leg.cause)
        };
        let busy = HangupCause::UserBusy;
        assert_eq!(decide(&[NotRegistered, DoNotDisturb]), (DoNotDisturb, busy));
        assert_eq!(
            decide(&[NotFound, UserBusy, DoNotDisturb]),
            (UserBusy, busy)
        );
        assert_eq!(
            decide(&[EndpointDisabled, NotRegistered]),
            (NotRegistered, HangupCause::UserNotRegistered)
        );
        assert_eq!(
            decide(&[EndpointDisabled, NotFound]),
            (EndpointDisabled, HangupCause::SubscriberAbsent)
        );
    }
}
