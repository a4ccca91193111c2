//! The leg to a carrier's gateway (trunkstore specification 4.3 to 4.6).

mod headers;

use std::borrow::Cow;

use super::decision::{Attempt, AttemptTo, Dial};
use super::formatters::Format;
use super::leaving::Behalf;
use super::pbx;
use super::request::{Party, Request};
use crate::documents::{Account, Gateway, Resource};
use crate::routing::carriers::{Candidate, GatewayKey, SwitchGateway};
use crate::routing::numbers::{Normalizer, npan, one_npan};
use crate::routing::privacy;
use crate::routing::{DialLeg, DialString, Endpoint, Explain, InvalidUri, Variables, clean};
use crate::types::{AccountId, HangupCause};

/// The header that tells a call which we sent out when it comes back.
pub const LOOP: &str = "X-Trunk-Loop";

/// The shown number.
const NUMBER: &str = "origination_caller_id_number";

/// A call to carriers.
#[derive(Clone, Copy)]
pub struct CarrierCall<'a> {
    pub account_id: &'a AccountId,
    pub account: &'a Account,
    pub behalf: Behalf<'a>,
    /// Normalised.
    pub number: &'a str,
    /// As it was dialled.
    pub dialed: &'a str,
    /// The outbound identity.
    pub caller: &'a Party,
    /// The same before `ensure_valid_caller_id`.
    pub unchecked: &'a Party,
    /// The number that is sent back out (trunkstore specification 2.7).
    pub loops: Option<&'a str>,
    /// The server's time to the answer counts: the call was for it.
    pub timed: bool,
}

/// What all legs of the call share.
pub struct Shared<'a> {
    /// What ordinary gateways are shown.
    pub caller: &'a Party,
    /// What emergency gateways are shown; all are in an emergency call.
    pub emergency_caller: &'a Party,
    pub emergency: bool,
    pub flags: &'a [String],
}

/// One attempt at one gateway.
pub fn attempt(
    request: &Request<'_>,
    call: &CarrierCall<'_>,
    shared: &Shared<'_>,
    candidate: &Candidate,
    explain: &mut dyn Explain,
) -> Attempt {
    let carrier = &candidate.resource;
    let mut attempt = Attempt {
        to: AttemptTo::Gateway {
            owner: carrier.account.clone(),
            resource: carrier.document_id.clone(),
            carrier: carrier.id.to_string(),
            gateway: candidate.gateway,
        },
        dial: Dial::Fails(HangupCause::InvalidGateway, "the gateway is gone"),
        aleg: Variables::default(),
        answer_timeout_s: None,
        progress_timeout_s: None,
        delay_s: 0,
    };
    let Some(gateway) = candidate.gateway() else {
        return attempt;
    };
    let levels = call.behalf.levels();
    if call.timed {
        attempt.answer_timeout_s = levels.first(|terms| terms.timeout_s.filter(|s| *s > 0));
    }
    let default = request.trunk().default_progress_timeout;
    let progress = gateway.progress_timeout_s.unwrap_or(default);
    attempt.progress_timeout_s = (progress > 0).then_some(progress);
    let leg = Leg {
        request,
        call,
        shared,
        candidate,
        gateway,
        resource: &carrier.document,
    };
    let endpoint = match leg.endpoint() {
        Ok(endpoint) => endpoint,
        Err(error) => {
            explain.note(
                "gateway",
                format_args!("{} gateway {}: {error}", carrier.id, candidate.gateway),
            );
            tracing::warn!(resource = %carrier.id, gateway = candidate.gateway, %error, "a gateway can't be dialled");
            attempt.dial = Dial::Fails(HangupCause::InvalidUrl, "the gateway can't be dialled");
            return attempt;
        }
    };
    explain.note(
        "gateway",
        format_args!("{} gateway {}: {endpoint}", carrier.id, candidate.gateway),
    );
    attempt
        .aleg
        .set_bool("bypass_media", leg.bypasses(&endpoint));
    let mut variables = leg.variables();
    pbx::timers(&attempt, &mut variables);
    let mut global = Variables::default();
    if let Some(ignore) = levels.first(|terms| terms.ignore_early_media) {
        global.set_bool("ignore_early_media", ignore);
    }
    pbx::originate_timeout(&attempt, &mut global);
    attempt.dial = Dial::Call(DialString {
        global,
        groups: vec![vec![DialLeg {
            variables,
            endpoint,
        }]],
    });
    attempt
}

struct Leg<'a, 'r> {
    request: &'a Request<'r>,
    call: &'a CarrierCall<'a>,
    shared: &'a Shared<'a>,
    candidate: &'a Candidate,
    gateway: &'a Gateway,
    resource: &'a Resource,
}

impl Leg<'_, '_> {
    /// A number as `invite_format` asks; None: it asks for no form of numbers.
    fn invite_form(&self, number: &str) -> Option<String> {
        Some(match &*self.invite_word()? {
            "e164" => Normalizer::us().e164(number),
            "npan" => npan(number).to_owned(),
            "1npan" => one_npan(number),
            "strip_plus" => Normalizer::us().strip_plus(number),
            _ => return None,
        })
    }

    /// The same for formatters, which know three of them.
    fn formatter_form(&self, number: &str) -> Option<String> {
        let word = self.invite_word();
        matches!(word.as_deref(), Some("e164" | "npan" | "1npan"))
            .then(|| self.invite_form(number))?
    }

    fn invite_word(&self) -> Option<String> {
        let word = self.gateway.invite_format.as_deref()?;
        Some(word.trim().to_ascii_lowercase())
    }

    fn format<T>(&self, run: impl FnOnce(&Format<'_>) -> T) -> T {
        let form = |number: &str| self.formatter_form(number);
        run(&Format {
            table: self.resource.formatters.as_deref(),
            invite_form: &form,
        })
    }

    fn formatted(&self, field: &str, value: &str) -> Option<String> {
        self.format(|format| {
            format
                .apply(field, Cow::Borrowed(value))
                .map(Cow::into_owned)
        })
    }

    fn endpoint(&self) -> Result<Endpoint, InvalidUri> {
        if let Some(gateway) = self.registered() {
            return Endpoint::gateway(&gateway.name, &self.user());
        }
        let profile = self.gateway.custom_sip_interface.as_deref();
        let profile = profile.map(|p| p.trim_start_matches("sofia/").trim_end_matches('/'));
        let profile = profile.filter(|profile| !profile.is_empty());
        let profile = profile.unwrap_or(&self.request.trunk().carrier_profile);
        let route = self.gateway.route.as_deref();
        let uri = match route.and_then(|route| self.formatted("route", route)) {
            Some(route) if has_scheme(&route) => route,
            Some(route) => format!("sip:{route}"),
            None => self.uri()?,
        };
        Endpoint::sofia(profile, &uri)
    }

    /// A carrier that wants REGISTER is called over the gateway that every node has for it; FreeSWITCH puts the gateway's
    /// proxy behind the number.
    fn registered(&self) -> Option<SwitchGateway> {
        let carrier = &self.candidate.resource;
        let key = GatewayKey::new(
            &carrier.account,
            &carrier.document_id,
            self.candidate.gateway,
        );
        let profile = &self.request.trunk().carrier_profile;
        let registers = self.gateway.register && self.gateway.route.is_none();
        let made = registers.then(|| SwitchGateway::of(&key, self.gateway, profile))?;
        made.filter(|made| made.registers)
    }

    fn uri(&self) -> Result<String, InvalidUri> {
        let server = self
            .gateway
            .server
            .as_deref()
            .ok_or(InvalidUri::Missing("server"))?;
        let host = match server.parse::<std::net::Ipv6Addr>() {
            Ok(_) if self.gateway.port.is_none_or(|port| port == 5060) => format!("[{server}]"),
            _ => pbx::address(server, self.gateway.port),
        };
        Ok(format!("sip:{}@{host}", clean::user_part(&self.user())))
    }

    fn user(&self) -> String {
        let by_name = self.invite_word().as_deref() == Some("username");
        if by_name && let Some(username) = self.gateway.username.as_deref() {
            return username.to_owned();
        }
        let carrier = &self.candidate.resource;
        let (prefix, suffix) = (carrier.prefix(self.gateway), carrier.suffix(self.gateway));
        [prefix, &self.number(), suffix].concat()
    }

    /// The number that is sent, before prefix and suffix.
    fn number(&self) -> String {
        let sent = &self.candidate.number_sent;
        let number = self.invite_form(sent).unwrap_or_else(|| sent.clone());
        self.formatted("to_did", &number).unwrap_or(number)
    }

    /// What this gateway is shown.
    fn shown(&self) -> &Party {
        match self.is_for_rescuers() {
            true => self.shared.emergency_caller,
            false => self.shared.caller,
        }
    }

    fn is_for_rescuers(&self) -> bool {
        let wants = self.gateway.caller_id_type.as_deref() == Some("emergency");
        self.shared.emergency || wants
    }

    fn bypasses(&self, endpoint: &Endpoint) -> bool {
        let levels = self.call.behalf.levels();
        let handling = levels.first(|terms| terms.media_handling.as_deref());
        let own = self
            .gateway
            .media
            .bypass_media
            .or(self.resource.media.bypass_media);
        let wanted = own.unwrap_or(true) && handling != Some("process");
        let profile = endpoint.profile();
        wanted && profile.is_some() && profile == self.request.profile
    }

    fn variables(&self) -> Variables {
        let mut variables = self.call.behalf.identity(self.is_for_rescuers());
        let v = &mut variables;
        self.identity(v);
        self.media(v);
        self.headers(v);
        let username = self.gateway.username.as_deref();
        let password = self.gateway.password.as_ref();
        // FreeSWITCH answers a challenge only if it has both.
        if let (Some(username), Some(password)) = (username, password) {
            v.set("sip_auth_username", username);
            v.set("sip_auth_password", password.reveal());
        }
        let parameters = self.invite_parameters();
        v.set("sip_invite_params", parameters.join(";"));
        v.set_bool("ignore_display_updates", true);
        // A redirection would send the caller's leg back into the dialplan with another number.
        v.set_bool("outbound_redirect_fatal", true);
        self.marks(v);
        variables
    }

    fn identity(&self, v: &mut Variables) {
        let shown = self.shown();
        if v.get(NUMBER).is_some_and(|number| number != shown.number) {
            // Rescuers are shown another number than the one that is asserted.
            v.remove("sip_h_P-Asserted-Identity");
        }
        let number = self.formatted("outbound_caller_id_number", &shown.number);
        let name = self.formatted("outbound_caller_id_name", &shown.name);
        v.set_number(NUMBER, number.as_deref().unwrap_or_default());
        v.set_display_name("origination_caller_id_name", &name.unwrap_or_default());
        // What the rule has left of the number, in whichever form it is dialled.
        let sent = &self.candidate.number_sent;
        v.set_number("origination_callee_id_number", sent);
        v.set_number("origination_callee_id_name", sent);
        // How a hidden number is signalled is the caller's matter.
        if v.get("sip_cid_type").is_none()
            && let Some(kind @ ("rpid" | "pid" | "none")) = self.gateway.caller_id_type.as_deref()
        {
            v.set("sip_cid_type", kind);
        }
        let number = number.as_deref().unwrap_or(&shown.number);
        if let Some(uri) = self.shown_from(number) {
            // A realm that can't stand in a URI leaves the From as it is.
            let _ = v.set_uri("sip_from_uri", &uri);
        }
        if self.shared.emergency {
            // Rescuers must see who calls, whatever the caller asked for.
            privacy::signal_nothing(v, self.request.privacy);
        }
    }

    /// `number` as the formatters have left it.
    fn shown_from(&self, number: &str) -> Option<String> {
        let (gateway, resource) = (&self.gateway.from, &self.resource.from);
        let asked = self.call.behalf.from();
        let levels = [Some(gateway), Some(resource), asked];
        let levels = || levels.into_iter().flatten();
        if levels().find_map(|level| level.format_from_uri) != Some(true) {
            return None;
        }
        let own = levels().find_map(|level| level.from_uri_realm.as_deref());
        let of_account = levels().find_map(|level| level.from_account_realm);
        let account = self
            .call
            .account
            .realm
            .as_deref()
            .filter(|_| of_account == Some(true));
        let host = own.or(account).or(self.gateway.realm.as_deref())?;
        let number = clean::number(number);
        let uri = format!("sip:{number}@{host}");
        if number.is_empty() {
            return None;
        }
        self.formatted("from_uri", &uri)
    }

    fn media(&self, v: &mut Variables) {
        let codecs = match &*self.gateway.codecs {
            [] => &self.resource.media.codecs,
            own => own,
        };
        // Behind a loopback leg, which knows no codecs of its own, the caller's part has named some.
        if !codecs.is_empty() {
            v.set("absolute_codec_string", codecs.join(","));
        }
        if let Some(mux) = self.gateway.media.rtcp_mux.or(self.resource.media.rtcp_mux) {
            v.set_bool("rtcp_mux", mux);
        }
        let fax = self
            .gateway
            .media
            .fax_option
            .or(self.resource.media.fax_option);
        if fax == Some(true) && self.shared.flags.iter().any(|flag| flag == "fax") {
            v.set_bool("fax_enable_t38", true);
        }
    }

    /// What the leg says of itself in records, and after a restart.
    fn marks(&self, v: &mut Variables) {
        v.set("accountcode", self.call.account_id.as_str());
        v.set("lf_account_id", self.call.account_id.as_str());
        self.call.behalf.mark(v);
        v.set("lf_direction", "outbound");
        v.set(
            "lf_resource_id",
            self.candidate.resource.document_id.as_str(),
        );
        v.set("lf_resource_type", "offnet-termination");
        v.set("lf_matched_number", &self.candidate.number_sent);
        v.set("lf_e164_destination", self.call.number);
        v.set("lf_original_number", self.call.dialed);
        v.set("lf_flags", self.shared.flags.join(","));
        if self.shared.emergency {
            v.set_bool("lf_emergency", true);
        }
    }
}

fn has_scheme(uri: &str) -> bool {
    let starts = |scheme: &str| {
        let head = uri.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    starts("sip:") || starts("sips:")
}
