//! The variables of one leg to a device (devices specification 2.4).

use std::borrow::Cow;

use super::caller_id::{self, Shown};
use super::formatters::Format;
use super::group;
use super::headers::Headers;
use super::invite::{Invite, InviteInput};
use super::media;
use super::merge::Merged;
use super::numbers::{Classifiers, Normalizer, npan, one_npan};
use super::plan::{Caller, DialRequest, Explain, LegError, Member, Network};
use super::privacy;
use super::sister;
use super::{DialLeg, Endpoint, Variables, clean};
use crate::documents::{AuthMethod, Device, Direction};
use crate::types::InviteFormat;

/// The calling side, merged once for all legs.
pub struct CallerView<'a> {
    pub caller: &'a Caller,
    /// None: nothing is configured for the caller.
    pub endpoint: Option<Merged<'a>>,
    /// What devices are shown, before formatters and privacy.
    pub shown: Shown<'a>,
}

impl<'a> CallerView<'a> {
    #[must_use]
    pub fn new(request: &DialRequest<'a>, explain: &mut dyn Explain) -> Self {
        let caller = request.caller;
        let owner = caller.owner_id.as_ref().zip(caller.owner.as_deref());
        let endpoint = Merged::of_caller(request.account, caller.device.as_deref(), owner);
        let (shown, origin) = caller_id::to_device(caller, endpoint.as_ref());
        explain.note(
            "caller_id",
            format_args!(
                "number {:?} from the {}, name {:?} from the {}",
                shown.number,
                caller_id::Origin::word(origin.number),
                shown.name,
                caller_id::Origin::word(origin.name),
            ),
        );
        Self {
            caller,
            endpoint,
            shown,
        }
    }
}

/// All that bears on the legs of one member.
pub struct LegContext<'a> {
    pub request: &'a DialRequest<'a>,
    pub caller: &'a CallerView<'a>,
    pub member: &'a Member,
    pub device: &'a Device,
    pub endpoint: &'a Merged<'a>,
    pub normalizer: &'a Normalizer,
    /// The member's forwarded leg is built here, so that a sister node must not build it again.
    pub forwarded_here: bool,
}

impl<'a> LegContext<'a> {
    /// Runs the called endpoint's formatters on a field.
    #[must_use]
    pub fn format<'v>(&self, key: &str, value: Cow<'v, str>) -> Option<Cow<'v, str>> {
        let by_format = |number: &str| self.number_format(number);
        let format = Format {
            endpoint: self.endpoint,
            direction: Direction::Outbound,
            invite_format: &by_format,
        };
        format.apply(key, value)
    }

    fn number_format(&self, number: &str) -> Option<String> {
        match self.device.sip.invite_format {
            InviteFormat::E164 => Some(self.normalizer.e164(number)),
            InviteFormat::Npan => Some(npan(number).to_owned()),
            InviteFormat::OneNpan => Some(one_npan(number)),
            _ => None,
        }
    }

    #[must_use]
    pub fn classify(&self, number: &str) -> &'static str {
        Classifiers::us().classify(&self.normalizer.e164(number))
    }

    /// What the caller is shown of the called side.
    pub fn callee(&self, variables: &mut Variables) {
        let shown = caller_id::callee(
            self.endpoint,
            self.caller.caller.network,
            self.request.dialed,
        );
        if let Some(number) = self.format("outbound_callee_id_number", shown.number) {
            variables.set_number("origination_callee_id_number", &number);
        }
        if let Some(name) = self.format("outbound_callee_id_name", shown.name) {
            variables.set_display_name("origination_callee_id_name", &name);
        }
    }

    /// Watchers subscribe under the account's realm, whatever realm the device has.
    pub fn presence(&self, variables: &mut Variables, explain: &mut dyn Explain) {
        let id = match self.endpoint.presence_id() {
            Some((id, level)) => {
                explain.note("presence_id", format_args!("{id:?} of the {level}"));
                id
            }
            None => match self.device.sip.username() {
                Some(username) => username,
                None => return,
            },
        };
        let account = self.request.account.realm.as_deref();
        let id = match account.or(self.endpoint.realm()) {
            Some(realm) if !id.contains('@') => Cow::Owned([id, "@", realm].concat()),
            _ => Cow::Borrowed(id),
        };
        if let Some(id) = self.format("presence_id", id) {
            variables.set("presence_id", id);
        }
    }

    /// Timers of the leg, in seconds.
    pub fn timing(&self, variables: &mut Variables) {
        let options = self.request.options;
        let timeout = group::timeout(self.member, options);
        // A list of causes that end the attempt switches the originate time-out off, so that such
        // legs need one of their own.
        let needed = options
            .confirmed_leg
            .then_some(self.request.settings.bridge_timeout_s);
        if let Some(seconds) = timeout.or(needed) {
            variables.set_raw_number("leg_timeout", i64::from(seconds));
        }
        let delay = group::delay(self.member, options);
        if delay > 0 {
            variables.set_raw_number("leg_delay_start", i64::from(delay));
        }
        let progress = self.device.media.as_ref().and_then(|m| m.progress_timeout);
        if let Some(seconds) = progress.filter(|seconds| *seconds > 0) {
            variables.set_raw_number("leg_progress_timeout", i64::from(seconds));
        }
    }

    /// What we ourselves read again from events about the leg.
    pub fn track(&self, variables: &mut Variables) {
        variables.set("lf_account_id", self.request.account_id.as_str());
        variables.set("lf_device_id", self.member.device_id.as_str());
        if let Some(caller) = &self.request.caller.device_id {
            // By whose rights the leg goes on if the caller transfers it.
            variables.set("lf_caller_device", caller.as_str());
        }
        if let Some((owner, _)) = self.endpoint.owner {
            variables.set("lf_owner_id", owner.as_str());
        }
    }

    /// Where the device is dialled: one endpoint for each live contact, or its static one.
    ///
    /// # Errors
    /// `no_route`, `invalid_uri`, `not_registered`.
    pub fn invites(&self) -> Result<Vec<Invite>, LegError> {
        let request = self.request;
        let sip = &self.device.sip;
        let did = sip.number().unwrap_or(request.dialed);
        let did = self
            .format("to_did", Cow::Borrowed(did))
            .unwrap_or_default();
        let route = sip.route().map(Cow::Borrowed);
        let route = route.and_then(|route| self.format("route", route));
        let static_invite = request.options.static_invite.as_deref();
        let input = InviteInput {
            format: sip.invite_format,
            username: sip.username(),
            static_invite: static_invite.or(sip.static_invite()),
            static_route: sip.static_route(),
            number: None,
            route: route.as_deref(),
            ip: sip.ip(),
            by_ip_only: sip.method == AuthMethod::Ip,
            proxy: sip.proxy(),
            forward: sip.forward(),
            transport: sip.transport().filter(|t| is_transport(t)),
            profile: sip.custom_sip_interface(),
            realm: self.endpoint.realm(),
            dialed: &did,
            normalizer: self.normalizer,
            default_profile: &request.settings.sip_profile,
            forward_context: &request.settings.forward_context,
            node: request.node.as_str(),
            nodes: &request.settings.nodes,
        };
        let grace_s = request.settings.registration_grace_s;
        let registrations = &self.member.registrations;
        super::invite::endpoints(&input, registrations, request.now, grace_s)
    }

    /// A leg to one of the device's endpoints.
    ///
    /// # Errors
    /// A formatter made an address of the URI that can't be dialled.
    pub fn sip_leg(&self, invite: Invite, explain: &mut dyn Explain) -> Result<DialLeg, LegError> {
        let mut variables = Variables::default();
        let sofia = !invite.endpoint.is_loopback();
        if sofia {
            variables.set_bool("sofia_suppress_url_encoding", true);
        }
        if let Some(realm) = self.endpoint.realm() {
            variables.set("sip_invite_domain", realm);
        }
        self.presence(&mut variables, explain);
        let shown = self.shown_caller();
        if shown.number != self.caller.shown.number || shown.name != self.caller.shown.name {
            explain.note(
                "caller_id",
                format_args!(
                    "after formatters and privacy number {:?}, name {:?}",
                    shown.number, shown.name
                ),
            );
        }
        if !self.request.options.suppress_clid {
            identity(&mut variables, self, shown.clone());
        }
        privacy::signal_nothing(&mut variables, self.caller.caller.privacy);
        self.callee(&mut variables);
        self.completed_elsewhere(&mut variables, explain);
        self.timing(&mut variables);
        let endpoint = if invite.via_sister_node {
            sister::hand_over(self, &mut variables, explain);
            if self.request.behind_loopback {
                // Between the nodes, too, a leg behind a loopback offers L16 alone.
                self.codecs(&mut variables);
            }
            invite.endpoint
        } else {
            self.features(&shown, &mut variables, explain);
            if let Some(route) = &invite.route_uri {
                let set = variables.set_uri("sip_route_uri", route);
                set.map_err(|_| LegError::InvalidUri)?;
            }
            self.formatted_user(invite.endpoint)?
        };
        self.track(&mut variables);
        Ok(DialLeg {
            variables,
            endpoint,
        })
    }

    /// The caller as this device sees it: formatters first, so that they can't undo privacy.
    fn shown_caller(&self) -> Shown<'a> {
        let shown = self.caller.shown.clone();
        let number = self.format("outbound_caller_id_number", shown.number);
        let name = self.format("outbound_caller_id_name", shown.name);
        let shown = Shown {
            number: number.unwrap_or_default(),
            // A name that is taken out must not leave the A-leg's in its place.
            name: name.unwrap_or(Cow::Borrowed(clean::NO_NAME)),
        };
        privacy::to_device(shown, self.caller.caller, self.request.settings)
    }

    fn completed_elsewhere(&self, variables: &mut Variables, explain: &mut dyn Explain) {
        let value = match self.endpoint.ignore_completed_elsewhere() {
            Some((value, level)) => {
                explain.note(
                    "ignore_completed_elsewhere",
                    format_args!("{value}, says the {level}"),
                );
                value
            }
            None => self.request.settings.default_ignore_completed_elsewhere,
        };
        variables.set_bool("ignore_completed_elsewhere", value);
    }

    /// Everything that only the node which dials the phone itself applies.
    fn features(&self, shown: &Shown<'_>, variables: &mut Variables, explain: &mut dyn Explain) {
        let request = self.request;
        let onnet = self.caller.caller.network == Network::Onnet;
        let action = request.options.alert_info.as_deref();
        if let Some(alert) = action.filter(|alert| !alert.is_empty()) {
            explain.note("alert_info", format_args!("{alert:?} of the action"));
            variables.set("alert_info", alert);
        } else if let Some((alert, level)) = self.endpoint.ringtone(onnet) {
            let of = if onnet { "internal" } else { "external" };
            explain.note(
                "alert_info",
                format_args!("{alert:?}, the {of} ringtone of the {level}"),
            );
            variables.set("alert_info", alert);
        }
        if let Some((id, level)) = self.endpoint.music_on_hold() {
            match music(id, request) {
                Some(path) => {
                    explain.note(
                        "music_on_hold",
                        format_args!("{id:?} of the {level}: {path}"),
                    );
                    variables.set("hold_music", path);
                }
                None => explain.note(
                    "music_on_hold",
                    format_args!("{id:?} of the {level} is unknown"),
                ),
            }
        }
        if let Some(diversion) = self.carried_diversion() {
            variables.set_header("Diversion", diversion);
        }
        self.codecs(variables);
        match (
            variables.get("absolute_codec_string"),
            media::has_codecs(self.device),
        ) {
            (Some(codecs), true) => explain.note("codecs", format_args!("{codecs} of the device")),
            (Some(codecs), false) => {
                explain.note(
                    "codecs",
                    format_args!("{codecs}, as the call was forwarded"),
                );
            }
            (None, _) => explain.note("codecs", format_args!("those of the caller")),
        }
        if let Some(media) = self.device.media.as_deref() {
            media::encrypt(variables, media, explain);
        }
        let caller = self.caller.caller.device.as_deref();
        media::fax(variables, self.device, caller);
        let by_format = |number: &str| self.number_format(number);
        let format = Format {
            endpoint: self.endpoint,
            direction: Direction::Outbound,
            invite_format: &by_format,
        };
        Headers::of_call(
            caller,
            Some(self.device),
            &request.options.custom_sip_headers,
        )
        .write(variables, shown, request.account_id, Some(&format), explain);
    }

    /// The Diversion that a forwarding device put on the leg which brought the call back; what a
    /// carrier or a phone sent is not for our phones.
    fn carried_diversion(&self) -> Option<&'a str> {
        let carried = self.request.behind_loopback && self.request.settings.diversion_on_forward;
        let diversion = self.request.caller.diversion.as_deref();
        diversion.filter(|text| carried && !text.trim().is_empty())
    }

    fn codecs(&self, variables: &mut Variables) {
        let request = self.request;
        let default = &request.settings.loopback_codecs;
        media::offer_codecs(variables, self.device, request.behind_loopback, default);
    }

    /// Formatters of the request URI's user; host and parameters are put back.
    fn formatted_user(&self, endpoint: Endpoint) -> Result<Endpoint, LegError> {
        let Endpoint::Sofia { profile, uri } = &endpoint else {
            return Ok(endpoint);
        };
        let Some((scheme, rest)) = uri.split_once(':') else {
            return Ok(endpoint);
        };
        let Some((user, host)) = rest.split_once('@') else {
            return Ok(endpoint);
        };
        let decoded = percent_encoding::percent_decode_str(user).decode_utf8_lossy();
        let formatted = ["to_user", "request", "to"]
            .into_iter()
            .try_fold(decoded.clone(), |user, key| self.format(key, user));
        match formatted {
            Some(new) if new != decoded && !new.is_empty() => {
                let uri = format!("{scheme}:{}@{host}", clean::user_part(&new));
                Endpoint::sofia(profile, &uri).map_err(|_| LegError::InvalidUri)
            }
            _ => Ok(endpoint),
        }
    }
}

/// Caller id of a leg.
pub fn identity(variables: &mut Variables, context: &LegContext<'_>, shown: Shown<'_>) {
    let number = context.format("from", shown.number);
    if let Some(number) = number {
        variables.set_number("origination_caller_id_number", &number);
    }
    if shown.name == clean::NO_NAME {
        variables.set("origination_caller_id_name", clean::NO_NAME);
    } else {
        variables.set_display_name("origination_caller_id_name", &shown.name);
    }
}

/// Transports that a device may name; others are ignored (devices specification 1.3).
fn is_transport(word: &str) -> bool {
    let known = ["udp", "tcp", "tls", "sctp"];
    known
        .iter()
        .any(|known| word.trim().eq_ignore_ascii_case(known))
}

/// Streams and URLs are used as they are, other ids are looked up.
fn music<'a>(id: &'a str, request: &DialRequest<'a>) -> Option<&'a str> {
    if id.contains("://") {
        return Some(id).filter(|id| media::may_be_named(id));
    }
    request.settings.media.get(id).map(String::as_str)
}
