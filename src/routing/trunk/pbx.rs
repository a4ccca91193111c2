//! The leg to a customer's PBX (trunkstore specification 2.4, 2.5).

use std::borrow::Cow;

use super::decision::{Attempt, AttemptTo, Dial};
use super::hosted::{Hosted, Levels};
use super::numbers;
use super::request::{Party, Request};
use super::sister;
use super::world::{Unreadable, World};
use crate::documents::{Account, AuthMethod, CallerIdFormat, Server};
use crate::routing::clean;
use crate::routing::dialing;
use crate::routing::invite::{Invite, InviteInput, endpoints};
use crate::routing::numbers::{Normalizer, npan, one_npan};
use crate::routing::plan::LegError;
use crate::routing::{DialLeg, DialString, Explain, Variables};
use crate::types::{AccountId, HangupCause, InviteFormat};

/// Seconds after which FreeSWITCH ends an originate that has no time of its own.
const ORIGINATE_S: u32 = 60;

/// A port that is never written.
const SIP_PORT: u16 = 5060;

/// A call to a number of an account, whoever makes it.
#[derive(Clone, Copy)]
pub struct PbxCall<'a> {
    pub account_id: &'a AccountId,
    pub account: &'a Account,
    /// Normalised.
    pub number: &'a str,
    /// What the PBX is shown.
    pub caller: &'a Party,
    /// The account that calls, if the call has never left the switch.
    pub from_account: Option<&'a AccountId>,
}

/// One attempt at one server.
///
/// # Errors
/// The store can't be read.
pub fn attempt(
    request: &Request<'_>,
    call: &PbxCall<'_>,
    hosted: &Hosted,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Attempt, Unreadable> {
    let levels = hosted.levels();
    let delay_s = levels.first(|terms| terms.delay_s).unwrap_or(0);
    let mut attempt = Attempt {
        to: AttemptTo::Server {
            place: hosted.place.clone(),
            name: hosted.name().to_owned(),
        },
        dial: Dial::Fails(HangupCause::DestinationOutOfOrder, "the server is gone"),
        aleg: Variables::default(),
        answer_timeout_s: levels.first(|terms| terms.timeout_s.filter(|s| *s > 0)),
        progress_timeout_s: levels.first(|terms| terms.progress_timeout_s),
        delay_s,
    };
    let Some(server) = hosted.server() else {
        return Ok(attempt);
    };
    let target = target(request, call, hosted, server, Contacts::All, world)?;
    let invite = match told(target, hosted, explain) {
        Ok(invite) => invite,
        Err(fails) => {
            attempt.dial = fails;
            return Ok(attempt);
        }
    };
    let bypass = bypasses(request, call, &levels, &invite);
    attempt.aleg.set_bool("bypass_media", bypass);
    if let Some(ringback) = levels.first(|terms| terms.ringback.as_deref()) {
        attempt.aleg.set("ringback", ringback);
    }
    let mut dial = DialString {
        global: global(&levels, &attempt),
        groups: Vec::new(),
    };
    let mut variables = Variables::default();
    identity(call, &levels, &mut variables);
    timers(&attempt, &mut variables);
    match invite.via_sister_node {
        true => sister::hand_over(&hosted.place, call.number, bypass, &mut variables),
        false => own(request, hosted, server, call.account, &mut variables),
    }
    marks(call, hosted, &mut variables);
    if let Some(route) = &invite.route_uri {
        // Checked when the invite was made.
        let _ = variables.set_uri("sip_route_uri", route);
    }
    dial.groups.push(vec![DialLeg {
        variables,
        endpoint: invite.endpoint,
    }]);
    attempt.dial = Dial::Call(dial);
    Ok(attempt)
}

/// The leg of a call that a sister node has begun, to the contact that this node holds. That node
/// shows the caller as the PBX wants it, and keeps the time; `bypass`: it leads media past itself.
///
/// # Errors
/// The store can't be read.
pub(super) fn rest(
    request: &Request<'_>,
    call: &PbxCall<'_>,
    hosted: &Hosted,
    bypass: bool,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Attempt, Unreadable> {
    let mut attempt = Attempt {
        to: AttemptTo::Server {
            place: hosted.place.clone(),
            name: hosted.name().to_owned(),
        },
        dial: Dial::Fails(HangupCause::DestinationOutOfOrder, "the server is gone"),
        aleg: Variables::default(),
        answer_timeout_s: Some(sister::RINGS_S),
        progress_timeout_s: None,
        delay_s: 0,
    };
    let Some(server) = hosted.server() else {
        return Ok(attempt);
    };
    let target = target(request, call, hosted, server, Contacts::Here, world)?;
    let invite = match told(target, hosted, explain) {
        Ok(invite) => invite,
        Err(fails) => {
            attempt.dial = fails;
            return Ok(attempt);
        }
    };
    let bypass = bypass && bypasses(request, call, &hosted.levels(), &invite);
    attempt.aleg.set_bool("bypass_media", bypass);
    let mut global = Variables::default();
    originate_timeout(&attempt, &mut global);
    let mut variables = Variables::default();
    variables.set_number("origination_caller_id_number", &call.caller.number);
    shown_name(&call.caller.name, &call.caller.number, &mut variables);
    timers(&attempt, &mut variables);
    own(request, hosted, server, call.account, &mut variables);
    marks(call, hosted, &mut variables);
    if let Some(route) = &invite.route_uri {
        // Checked when the invite was made.
        let _ = variables.set_uri("sip_route_uri", route);
    }
    let leg = DialLeg {
        variables,
        endpoint: invite.endpoint,
    };
    attempt.dial = Dial::Call(DialString {
        global,
        groups: vec![vec![leg]],
    });
    Ok(attempt)
}

/// Explains what a server's target is; without one the attempt fails without a leg.
fn told(
    target: Result<Invite, (HangupCause, &'static str)>,
    hosted: &Hosted,
    explain: &mut dyn Explain,
) -> Result<Invite, Dial> {
    let name = hosted.name();
    match target {
        Ok(invite) => {
            explain.note("target", format_args!("{name:?}: {}", invite.endpoint));
            Ok(invite)
        }
        Err((cause, why)) => {
            explain.note("target", format_args!("{name:?}: {why}"));
            Err(Dial::Fails(cause, why))
        }
    }
}

/// Which registrations of a server count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contacts {
    All,
    /// Those of this node: a call that came from the other one must not go back.
    Here,
}

/// The realm that the server registers in.
fn realm<'a>(hosted: &'a Hosted, account: &'a Account) -> Option<&'a str> {
    let own = hosted.document().account.auth_realm.as_deref();
    own.or(account.realm.as_deref())
}

/// Where the INVITE goes: a static address always wins, then the newest registration.
fn target(
    request: &Request<'_>,
    call: &PbxCall<'_>,
    hosted: &Hosted,
    server: &Server,
    contacts: Contacts,
    world: &dyn World,
) -> Result<Result<Invite, (HangupCause, &'static str)>, Unreadable> {
    let realm = realm(hosted, call.account);
    let user = server.auth.user.as_deref();
    let by_ip_only = server.auth.method == AuthMethod::Ip;
    let address = server.ip().map(|ip| address(ip, server.port()));
    let normalizer = Normalizer::us();
    let settings = request.settings;
    let input = InviteInput {
        format: format(server.options.inbound_format.as_deref()),
        username: user,
        static_invite: None,
        static_route: None,
        number: None,
        route: None,
        ip: address.as_deref(),
        by_ip_only,
        proxy: None,
        forward: None,
        transport: None,
        profile: None,
        realm,
        dialed: call.number,
        normalizer: &normalizer,
        default_profile: &settings.sip_profile,
        forward_context: &settings.forward_context,
        node: request.node.as_str(),
        nodes: &settings.nodes,
    };
    let mut registrations = match (user, realm) {
        (Some(user), Some(realm)) if address.is_none() && !by_ip_only => {
            world.registrations(user, realm)?
        }
        _ => Vec::new(),
    };
    if contacts == Contacts::Here {
        registrations.retain(|registration| registration.node == *request.node);
    }
    let grace_s = settings.registration_grace_s;
    let invites = endpoints(&input, &registrations, request.now, grace_s);
    Ok(match invites {
        // One contact alone: an old binding would ring behind a pinhole that is long shut.
        Ok(invites) => invites.into_iter().next().ok_or((
            HangupCause::UserNotRegistered,
            "the server is not registered",
        )),
        Err(LegError::NotRegistered) if by_ip_only => Err((
            HangupCause::DestinationOutOfOrder,
            "the server is known by its address, and has none",
        )),
        Err(LegError::NotRegistered) => Err((
            HangupCause::UserNotRegistered,
            "the server is not registered",
        )),
        Err(error) => Err((error.cause(), "the server's address can't be dialled")),
    })
}

/// `inbound_format`; unknown words ask for the auth user.
fn format(word: Option<&str>) -> InviteFormat {
    let Some(word) = word else {
        return InviteFormat::Npan;
    };
    let known = [
        ("npan", InviteFormat::Npan),
        ("npanxxxxxx", InviteFormat::Npan),
        ("1npan", InviteFormat::OneNpan),
        ("1npanxxxxxx", InviteFormat::OneNpan),
        ("e164", InviteFormat::E164),
        ("e.164", InviteFormat::E164),
        ("strip_plus", InviteFormat::StripPlus),
        ("e164_without_plus", InviteFormat::StripPlus),
    ];
    let mut same = known
        .iter()
        .filter(|(name, _)| word.trim().eq_ignore_ascii_case(name));
    same.next()
        .map_or(InviteFormat::Username, |(_, format)| *format)
}

/// `host`, or `host:port` where the port is another than SIP's own.
pub(super) fn address(host: &str, port: Option<u16>) -> String {
    let host = host.trim();
    match port.filter(|port| *port != SIP_PORT) {
        None => host.to_owned(),
        Some(port) if host.parse::<std::net::Ipv6Addr>().is_ok() => format!("[{host}]:{port}"),
        // A host that brings its port keeps it.
        Some(_) if !host.starts_with('[') && host.contains(':') => host.to_owned(),
        Some(port) => format!("{host}:{port}"),
    }
}

/// Media go past the switch only between legs of one profile, which keeps apart networks that
/// can't reach each other, and never for a call between two PBXs of ours.
fn bypasses(
    request: &Request<'_>,
    call: &PbxCall<'_>,
    levels: &Levels<'_>,
    invite: &Invite,
) -> bool {
    let handling = levels.first(|terms| terms.media_handling.as_deref());
    let wanted = handling != Some("process");
    let profile = invite.endpoint.profile();
    let same_profile = profile.is_some() && profile == request.profile;
    wanted && same_profile && call.from_account.is_none()
}

/// What FreeSWITCH reads from the `{}` block alone.
fn global(levels: &Levels<'_>, attempt: &Attempt) -> Variables {
    let mut global = Variables::default();
    if attempt.delay_s > 0 {
        global.set_raw_number("originate_delay_start", i64::from(attempt.delay_s) * 1000);
    }
    if let Some(ignore) = levels.first(|terms| terms.ignore_early_media) {
        global.set_bool("ignore_early_media", ignore);
    }
    originate_timeout(attempt, &mut global);
    global
}

/// FreeSWITCH ends an originate after a minute, whatever the leg's own timer says.
pub(super) fn originate_timeout(attempt: &Attempt, global: &mut Variables) {
    let answer = attempt.answer_timeout_s.unwrap_or(ORIGINATE_S);
    let all = attempt.delay_s.saturating_add(answer);
    if all > ORIGINATE_S {
        // The leg's own timer may fire a second late, and is to be the one that fires.
        global.set_raw_number("originate_timeout", i64::from(all) + 2);
    }
}

pub(super) fn timers(attempt: &Attempt, variables: &mut Variables) {
    for (name, seconds) in [
        ("leg_timeout", attempt.answer_timeout_s),
        ("leg_progress_timeout", attempt.progress_timeout_s),
    ] {
        if let Some(seconds) = seconds {
            variables.set_raw_number(name, i64::from(seconds));
        }
    }
}

/// Who calls, and who is said to be called.
fn identity(call: &PbxCall<'_>, levels: &Levels<'_>, variables: &mut Variables) {
    let number = shown_number(&call.caller.number, levels);
    variables.set_number("origination_caller_id_number", &number);
    shown_name(&call.caller.name, &number, variables);
    // The number's own caller id is how the called side is shown, not the caller.
    if let Some(entry) = levels.entry {
        let callee = &entry.caller_id;
        variables.set_display_name("callee_id_name", callee.name.as_deref().unwrap_or_default());
        variables.set_number(
            "callee_id_number",
            callee.number.as_deref().unwrap_or_default(),
        );
    }
}

/// A caller without a name shows the number in its place, which keeps its `+` as no name would.
pub(super) fn shown_name(name: &str, number: &str, variables: &mut Variables) {
    match name {
        "" => variables.set_number("origination_caller_id_name", number),
        name => variables.set_display_name("origination_caller_id_name", name),
    }
}

/// The caller's number as the PBX wants it.
fn shown_number<'n>(number: &'n str, levels: &Levels<'_>) -> Cow<'n, str> {
    if number.is_empty() {
        return Cow::Borrowed(number);
    }
    let normalizer = Normalizer::us();
    let class = numbers::class(&normalizer.e164(number));
    let format = levels.first(|terms| {
        let table = terms.caller_id_format.as_ref()?;
        table.get(class).or_else(|| table.get("all"))
    });
    match format {
        None => Cow::Borrowed(number),
        Some(CallerIdFormat::Rule(rule)) => {
            let form = |number: &str| Some(normalizer.e164(number));
            super::formatters::one(rule, number, &form).map_or(Cow::Borrowed(number), |new| {
                Cow::Owned(new.unwrap_or_default())
            })
        }
        Some(CallerIdFormat::Named(word)) => match &**word {
            "e164" => Cow::Owned(normalizer.e164(number)),
            "npan" => Cow::Borrowed(npan(number)),
            "1npan" => Cow::Owned(one_npan(number)),
            "strip_plus" => Cow::Owned(normalizer.strip_plus(number)),
            _ => Cow::Borrowed(number),
        },
    }
}

/// Codecs and headers, which are the business of the node that holds the registration.
fn own(
    request: &Request<'_>,
    hosted: &Hosted,
    server: &Server,
    account: &Account,
    variables: &mut Variables,
) {
    if !server.codecs().is_empty() {
        variables.set("absolute_codec_string", server.codecs().join(","));
    }
    if request.trunk().send_aor_header
        && let (Some(user), Some(realm)) = (server.auth.user.as_deref(), realm(hosted, account))
    {
        variables.set_header(
            "X-KAZOO-AOR",
            &format!("sip:{}@{realm}", clean::user_part(user)),
        );
    }
    for (_, terms) in hosted.levels().iter().rev() {
        for (name, value) in terms.sip_headers.iter().flat_map(|table| table.iter()) {
            variables.set_header(name, value);
        }
    }
}

/// What the leg says of itself in records, and after a restart.
fn marks(call: &PbxCall<'_>, hosted: &Hosted, variables: &mut Variables) {
    // A redirection would send the caller's leg back into the dialplan with another number.
    variables.set_bool("outbound_redirect_fatal", true);
    variables.set("accountcode", call.account_id.as_str());
    variables.set("lf_account_id", call.account_id.as_str());
    variables.set("lf_authorizing_id", hosted.place.connectivity.as_str());
    variables.set("lf_authorizing_type", "sys_info");
    variables.set("lf_server_index", hosted.place.server.to_string());
    variables.set("lf_server_name", hosted.name());
    variables.set("lf_direction", "inbound");
    if let Some(account) = call.from_account {
        variables.set("lf_inception_account_id", account.as_str());
    }
}

/// The number of a caller in the form of the account's own numbers.
pub(super) fn normal(account: &Account, number: &str) -> String {
    dialing::normalizer(account).e164(number)
}
