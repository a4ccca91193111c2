//! The whole bridge: groups of legs, global variables, and what is set on the A-leg (devices
//! specification 2.8, 2.10).

use super::dialing::normalizer;
use super::group;
use super::leg::CallerView;
use super::media;
use super::member::{self, BuiltLeg};
use super::plan::{BridgePlan, DialRequest, Explain, LegError, NoLeg, Skipped, Strategy};
use super::refuse;
use super::{DialString, MAX_GROUPS, MAX_LEGS, Variables};

/// Devices that are noted on the caller's leg; an arrival keeps no more than 1024 characters of a value.
const MOST_RANG: usize = 16;

/// Refusals that end an attempt whose callee was to press a key.
const REFUSALS: &str = "USER_BUSY,CALL_REJECTED,NO_ANSWER,NORMAL_CLEARING,PROGRESS_TIMEOUT";

/// Decides which legs ring, and how. Pure: no clock, no I/O.
///
/// # Errors
/// No member is left to ring; the error carries the cause for the caller.
pub fn plan(request: &DialRequest<'_>, explain: &mut dyn Explain) -> Result<BridgePlan, NoLeg> {
    let normalizer = normalizer(request.account);
    let caller = CallerView::new(request, explain);
    let options = request.options;
    let members = group::order(request.members, request.strategy, options, request.seed);
    let mut groups: Vec<Vec<BuiltLeg>> = Vec::with_capacity(members.len());
    let mut skipped = Vec::new();
    let mut failed = Vec::new();
    for member in &members {
        explain.note("device", format_args!("{}", member.device_id));
        let mut built = member::build(request, &caller, member, &normalizer, explain);
        let mut skip = |reason: LegError| {
            explain.note("skipped", format_args!("{}: {reason}", member.device_id));
            skipped.push(Skipped {
                device_id: member.device_id.clone(),
                reason,
            });
        };
        if built.legs.is_empty() {
            let error = refuse::first(&built.errors).unwrap_or(LegError::NotRegistered);
            failed.push(error);
            skip(error);
            continue;
        }
        built.errors.into_iter().for_each(skip);
        drop_known_targets(&mut built.legs, &groups);
        groups.push(built.legs);
    }
    groups.retain(|legs| !legs.is_empty());
    if groups.is_empty() {
        let nobody = refuse::nobody(&failed, skipped);
        explain.note("nobody", format_args!("{}: {}", nobody.error, nobody.cause));
        return Err(nobody);
    }
    if request.strategy == Strategy::Simultaneous {
        groups = vec![groups.into_iter().flatten().collect()];
    }
    groups.truncate(MAX_GROUPS);
    groups.iter_mut().for_each(|legs| legs.truncate(MAX_LEGS));
    if request.strategy != Strategy::Simultaneous && groups.len() > 1 {
        time_each(&mut groups, request.settings.bridge_timeout_s);
    }
    let waits_s = wait_together(&mut groups);
    let together = options.ignore_early_media || groups.iter().any(|legs| legs.len() > 1);
    let mut global = global(request, &groups, together);
    if waits_s > 0 {
        let ms = i64::from(waits_s).saturating_mul(1000);
        global.set_raw_number("originate_delay_start", ms);
    }
    let aleg = aleg(request, &groups, &members);
    Ok(assemble(groups, global, aleg, together, skipped))
}

/// A forward to a number that is rung already would ring the same phone twice.
fn drop_known_targets(legs: &mut Vec<BuiltLeg>, groups: &[Vec<BuiltLeg>]) {
    let known = |leg: &BuiltLeg| {
        let mut others = groups.iter().flatten();
        others.any(|other| other.planned.forwarded && other.leg.endpoint == leg.leg.endpoint)
    };
    legs.retain(|leg| !(leg.planned.forwarded && known(leg)));
}

/// Seconds that the attempt as a whole has to wait: a leg without an undelayed one beside it starts at once, whatever its
/// own delay says (devices specification 2.10, callflow specification 2.1). Several legs wait only for what they have
/// left after that.
fn wait_together(groups: &mut [Vec<BuiltLeg>]) -> u32 {
    let [group] = groups else {
        return 0;
    };
    let first = group.iter().map(|leg| leg.delay_s).min().unwrap_or(0);
    if first == 0 || group.len() == 1 {
        return first;
    }
    for built in group {
        let variables = &mut built.leg.variables;
        match built.delay_s - first {
            0 => variables.remove("leg_delay_start"),
            left => variables.set_raw_number("leg_delay_start", i64::from(left)),
        }
    }
    first
}

/// In a hunt each member has a time-out of its own, so that one who does not answer ends only his
/// turn.
fn time_each(groups: &mut [Vec<BuiltLeg>], default_s: u32) {
    for built in groups.iter_mut().flatten() {
        let variables = &mut built.leg.variables;
        if variables.get("leg_timeout").is_none() {
            variables.set_raw_number("leg_timeout", i64::from(default_s));
        }
    }
}

fn global(request: &DialRequest<'_>, groups: &[Vec<BuiltLeg>], together: bool) -> Variables {
    let mut global = Variables::default();
    let asked = groups.iter().flatten().any(|leg| leg.ignore_early_media);
    if together || asked {
        global.set_bool("ignore_early_media", true);
    }
    if request.strategy != Strategy::Simultaneous && groups.len() > 1 {
        // Otherwise the first member's originate time-out ends the whole hunt.
        global.set_bool("originate_continue_on_timeout", true);
    }
    if request.options.ignore_redirects {
        // Otherwise the caller's leg itself is sent to the number that the phone names.
        global.set_bool("outbound_redirect_fatal", true);
    }
    if request.options.confirmed_leg {
        global.set("fail_on_single_reject", REFUSALS);
    } else if request.options.fail_on_single_reject {
        global.set_bool("fail_on_single_reject", true);
    }
    global
}

fn aleg(
    request: &DialRequest<'_>,
    groups: &[Vec<BuiltLeg>],
    members: &[&super::plan::Member],
) -> Variables {
    let mut aleg = Variables::default();
    let settings = request.settings;
    let timeout = group::call_timeout(
        members,
        request.strategy,
        request.options,
        settings.bridge_timeout_s,
    );
    aleg.set_raw_number("call_timeout", i64::from(timeout));
    aleg.set_bool("continue_on_fail", true);
    aleg.set_bool("hangup_after_bridge", true);
    // Otherwise every header of the caller's INVITE goes on to the called phones.
    aleg.set_bool("sip_copy_custom_headers", false);
    // No value of ours needs expansion, and one that slipped through must not run a command.
    aleg.set_bool("app_disable_expand_variables", true);
    // Read again when one of them transfers the caller: whoever it is, it is one of these.
    aleg.set("lf_rang_account", request.account_id.as_str());
    aleg.set("lf_rang_devices", rang(groups));
    if let Some(ringback) = request.options.ringback.as_deref() {
        aleg.set("ringback", ringback);
        // What a caller hears who is answered already.
        aleg.set("transfer_ringback", ringback);
    }
    let legs = || groups.iter().flatten();
    let each = legs().map(|built| (&built.leg, built.bypass));
    if let Some(bypass) = media::bypass(each, request.aleg_profile) {
        aleg.set_bool("bypass_media", bypass);
    }
    if legs().any(|built| built.leg.endpoint.is_loopback()) {
        aleg.set_bool("loopback_no_pre_answer", true);
    }
    aleg
}

/// Ids of the devices that ring, as one value.
fn rang(groups: &[Vec<BuiltLeg>]) -> String {
    let mut ids: Vec<&str> = Vec::new();
    for built in groups.iter().flatten() {
        let id = built.planned.device_id.as_str();
        if ids.len() < MOST_RANG && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.join(":")
}

fn assemble(
    groups: Vec<Vec<BuiltLeg>>,
    global: Variables,
    aleg: Variables,
    together: bool,
    skipped: Vec<Skipped>,
) -> BridgePlan {
    let mut legs = Vec::new();
    let mut dial = DialString {
        global,
        groups: Vec::with_capacity(groups.len()),
    };
    for group in groups {
        let mut together = Vec::with_capacity(group.len());
        for built in group {
            legs.push(built.planned);
            together.push(built.leg);
        }
        dial.groups.push(together);
    }
    BridgePlan {
        aleg,
        ring_ready: together,
        dial,
        legs,
        skipped,
    }
}
