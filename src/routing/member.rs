//! The legs of one device: its own, the forwarded one, both, or none (devices specification 4.3).

use super::DialLeg;
use super::forward::{self, When};
use super::group;
use super::invite::Invite;
use super::leg::{CallerView, LegContext};
use super::media::Bypass;
use super::merge::{Forward, Merged};
use super::numbers::Normalizer;
use super::plan::{DialRequest, Explain, LegError, Member, PlannedLeg};
use super::record;
use super::refuse;

/// A leg and what the bridge as a whole has to know about it.
pub struct BuiltLeg {
    pub leg: DialLeg,
    pub planned: PlannedLeg,
    pub bypass: Bypass,
    pub ignore_early_media: bool,
    /// Seconds before it rings.
    pub delay_s: u32,
}

/// What became of a member: legs, and errors of the legs that are missing.
#[derive(Default)]
pub struct Built {
    pub legs: Vec<BuiltLeg>,
    pub errors: Vec<LegError>,
}

impl Built {
    fn refused(error: LegError) -> Self {
        Self {
            legs: Vec::new(),
            errors: vec![error],
        }
    }
}

/// Builds the legs of a member.
pub fn build<'a>(
    request: &'a DialRequest<'a>,
    caller: &'a CallerView<'a>,
    member: &'a Member,
    normalizer: &'a Normalizer,
    explain: &mut dyn Explain,
) -> Built {
    let Some(device) = member.device.as_deref() else {
        return Built::refused(LegError::NotFound);
    };
    let endpoint = Merged::of_device(request.account, device, &member.users);
    if let Some((owner, _)) = endpoint.owner {
        explain.note("owner", format_args!("{owner}"));
    }
    if let Err(error) = refuse::check(request, member, &endpoint, explain) {
        return Built::refused(error);
    }
    let context = LegContext {
        request,
        caller,
        member,
        device,
        endpoint: &endpoint,
        normalizer,
        forwarded_here: false,
    };
    let forward = endpoint.forward();
    let when = forward.and_then(|f| Some((f, forward::when(&f, request)?)));
    match when {
        Some((forward, When::Now)) if forward.substitute => {
            let mut built = Built::default();
            forwarded(&context, &forward, When::Now, &mut built, explain);
            built
        }
        Some((forward, When::Now)) => both(context, &forward, explain),
        Some((forward, When::Unreachable)) => failover(&context, &forward, explain),
        None => own(&context, context.invites(), explain),
    }
}

/// `substitute` off: the device and the forward target ring together. An unregistered device is no
/// error then.
fn both(mut context: LegContext<'_>, forward: &Forward<'_>, explain: &mut dyn Explain) -> Built {
    let invites = context.invites();
    let elsewhere = |invites: &Vec<Invite>| invites.iter().all(|i| i.via_sister_node);
    if invites.as_ref().is_ok_and(elsewhere) {
        explain.note(
            "forward",
            format_args!("left to the node that holds the registration"),
        );
        return own(&context, invites, explain);
    }
    context.forwarded_here = true;
    let mut built = Built::default();
    forwarded(&context, forward, When::Now, &mut built, explain);
    let reachable = invites != Err(LegError::NotRegistered);
    if reachable || built.legs.is_empty() {
        let device = own(&context, invites, explain);
        // The device was there first; the order says so in the dial string.
        let forward = std::mem::replace(&mut built.legs, device.legs);
        built.legs.extend(forward);
        built.errors.extend(device.errors);
    }
    built
}

/// Forwarded only while the device is not reachable; a busy one is reachable.
fn failover(context: &LegContext<'_>, forward: &Forward<'_>, explain: &mut dyn Explain) -> Built {
    let invites = context.invites();
    if invites != Err(LegError::NotRegistered) {
        return own(context, invites, explain);
    }
    let mut built = Built::default();
    forwarded(context, forward, When::Unreachable, &mut built, explain);
    built
}

fn forwarded(
    context: &LegContext<'_>,
    forward: &Forward<'_>,
    when: When,
    built: &mut Built,
    explain: &mut dyn Explain,
) {
    let leg = forward::target(context, forward)
        .and_then(|number| forward::leg(context, forward, &number, when, explain));
    match leg {
        Ok(leg) => built.legs.push(BuiltLeg {
            leg,
            planned: PlannedLeg {
                device_id: context.member.device_id.clone(),
                forwarded: true,
                recording: None,
            },
            bypass: Bypass {
                wanted: false,
                needs_media: forward.require_keypress,
            },
            ignore_early_media: forward::ignores_early_media(forward),
            delay_s: group::delay(context.member, context.request.options),
        }),
        Err(error) => {
            explain.note(
                "forward",
                format_args!(
                    "not to {:?} of the {}: {error}",
                    forward.number, forward.from
                ),
            );
            built.errors.push(error);
        }
    }
}

/// The device's own legs.
fn own(
    context: &LegContext<'_>,
    invites: Result<Vec<Invite>, LegError>,
    explain: &mut dyn Explain,
) -> Built {
    let busy = refuse::busy(context.member, context.endpoint, explain);
    let invites = match busy.and(invites) {
        Ok(invites) => invites,
        Err(error) => return Built::refused(error),
    };
    let mut built = Built::default();
    let network = context.caller.caller.network;
    let recording = record::of_leg(context.endpoint, network, context.request.settings);
    if recording.is_some() {
        explain.note("recording", format_args!("the leg is recorded"));
    }
    let media = context.device.media.as_deref();
    for invite in invites {
        match context.sip_leg(invite, explain) {
            Ok(leg) => {
                explain.note("leg", format_args!("{}", leg.endpoint));
                built.legs.push(BuiltLeg {
                    leg,
                    planned: PlannedLeg {
                        device_id: context.member.device_id.clone(),
                        forwarded: false,
                        recording: recording.clone(),
                    },
                    bypass: Bypass {
                        wanted: media.and_then(|m| m.bypass_media) == Some(true),
                        needs_media: recording.is_some(),
                    },
                    ignore_early_media: media.and_then(|m| m.ignore_early_media) == Some(true),
                    delay_s: group::delay(context.member, context.request.options),
                });
            }
            Err(error) => built.errors.push(error),
        }
    }
    built
}
