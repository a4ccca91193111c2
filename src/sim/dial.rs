//! From an endpoint of a dial string to a leg that is being dialled.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::call::{CallSpec, Origin};
use super::core::new_uuid;
use super::headers::Detail;
use super::leg::{Channel, Direction, Kind, Leg, Other, Party, RunState, Sip};
use super::lifecycle::CREATE;
use super::link::Link;
use super::originate::find;
use super::outgoing::{Driver, Outgoing, Pair};
use super::phone::Step;
use super::session::Session;
use super::sip::user_and_host;
use crate::types::HangupCause;

const OUTGOING: (&str, &str, u32) = (
    "switch_core_session.c",
    "switch_core_session_outgoing_channel",
    700,
);
const ORIGINATE: (&str, &str, u32) = ("switch_ivr_originate.c", "switch_ivr_originate", 3021);

impl Session {
    /// Dials one endpoint. Endpoints that fail before a channel exists give their cause at once.
    pub(super) fn dial(
        &self,
        endpoint: &str,
        variables: Vec<(String, String)>,
    ) -> Result<Outgoing, HangupCause> {
        if self.core.channel_count() >= self.core.options.max_sessions {
            return Err(HangupCause::SwitchCongestion);
        }
        let (kind, rest) = endpoint.split_once('/').unwrap_or((endpoint, ""));
        match kind {
            "error" => Err(super::sip::read_cause(rest)),
            "loopback" => self.dial_loopback(rest, &variables),
            "user" => {
                let (user, host) = user_and_host(rest);
                self.channel.set("dialed_user", &user);
                self.channel.set("dialed_domain", &host);
                let mut variables = variables;
                // As the usual dial-string of a directory entry has it (capture 22).
                for (name, value) in [
                    ("dialed_user", user.clone()),
                    ("dialed_domain", host.clone()),
                    ("sip_invite_domain", host.clone()),
                    ("presence_id", format!("{user}@{host}")),
                ] {
                    if find(&variables, name).is_none() {
                        variables.push((name.to_owned(), value));
                    }
                }
                let absent = HangupCause::SubscriberAbsent;
                self.dial_registered("internal", &user, &host, &variables, absent)
            }
            "sofia" => {
                let (profile, target) = rest.split_once('/').ok_or(HangupCause::InvalidUrl)?;
                if profile == "gateway" {
                    return self.dial_gateway(target, &variables);
                }
                // Behind `sip:` a % is an escape of the URI, as in `fs_path=sip%3A...`.
                let local = Some(target).filter(|target| !target.starts_with("sip"));
                if let Some((user, host)) = local.and_then(|target| target.split_once('%')) {
                    let absent = HangupCause::UserNotRegistered;
                    return self.dial_registered(profile, user, host, &variables, absent);
                }
                self.dial_uri(profile, target, &variables)
            }
            _ => Err(HangupCause::ChanNotImplemented),
        }
    }

    fn dial_gateway(
        &self,
        target: &str,
        variables: &[(String, String)],
    ) -> Result<Outgoing, HangupCause> {
        let (name, number) = target.split_once('/').ok_or(HangupCause::InvalidUrl)?;
        let known = self.core.gateways.is_up(name);
        if known == Some(false) {
            return Err(HangupCause::GatewayDown);
        }
        // A gateway without a carrier behind it is called into silence.
        let silent = || known.map(|_| super::PhoneScript::is_silent());
        let script = self
            .core
            .phones
            .gateway(name)
            .or_else(silent)
            .ok_or(HangupCause::InvalidGateway)?;
        let sip = self.callee_sip("internal", number, name, "127.0.0.1:5090");
        let channel_name = format!("sofia/internal/{number}");
        let mut variables = variables.to_vec();
        variables.push(("sip_gateway_name".to_owned(), name.to_owned()));
        Ok(self.dial_phone(sip, &channel_name, script.into_steps(), &variables))
    }

    fn dial_registered(
        &self,
        profile: &str,
        user: &str,
        host: &str,
        variables: &[(String, String)],
        unknown: HangupCause,
    ) -> Result<Outgoing, HangupCause> {
        match self.core.registrar.contacts(user, host).first() {
            Some(contact) => self.dial_uri(profile, contact, variables),
            None if self.core.phones.knows(&format!("{user}@{host}")) => {
                Err(HangupCause::UserNotRegistered)
            }
            None => Err(unknown),
        }
    }

    fn dial_uri(
        &self,
        profile: &str,
        uri: &str,
        variables: &[(String, String)],
    ) -> Result<Outgoing, HangupCause> {
        let (user, host) = user_and_host(uri);
        if host.is_empty() {
            return Err(HangupCause::InvalidUrl);
        }
        if let Some(link) = self.core.links.find(uri) {
            return self.dial_node(&link, profile, (&user, &host), variables);
        }
        let of_contact = || {
            let (user, host) = self.core.registrar.owner(&user, &host)?;
            self.core.phones.find(&user, &host)
        };
        let script = self
            .core
            .phones
            .find(&user, &host)
            .or_else(of_contact)
            .or_else(|| self.core.options.any_phone.clone())
            .ok_or(HangupCause::UserNotRegistered)?;
        let sip = self.callee_sip(profile, &user, &host, &host);
        let channel_name = format!("sofia/{profile}/{user}@{host}");
        Ok(self.dial_phone(sip, &channel_name, script.into_steps(), variables))
    }

    /// A leg to another node, where it comes in as a new call.
    fn dial_node(
        &self,
        link: &Link,
        profile: &str,
        (user, host): (&str, &str),
        variables: &[(String, String)],
    ) -> Result<Outgoing, HangupCause> {
        // Nobody listens where a node was.
        let node = link.to.reach().ok_or(HangupCause::NormalTemporaryFailure)?;
        let sip = self.callee_sip(profile, user, host, &link.from.to_string());
        let kind = Kind::Callee(sip);
        let name = format!("sofia/{profile}/{user}@{host}");
        let near = self.new_leg(kind, "mod_sofia", &name, user, "", variables);
        self.announce_leg(&near, "sofia");
        let mut spec = CallSpec::device(&format!("@{host}"), user, link.handoff.clone());
        {
            let leg = near.leg();
            spec.from_user = leg.party.caller_number.to_string();
            spec.caller_number = leg.party.caller_number.to_string();
            spec.caller_name = leg.party.caller_name.to_string();
        }
        spec.origin = Origin::Sister;
        profile.clone_into(&mut spec.profile);
        spec.source = link.from.ip();
        spec.keep_events = false;
        spec.variables = self.sent_headers(&near);
        let port = link.from.port().to_string();
        spec.variables
            .push(("sip_received_port".to_owned(), port.clone()));
        spec.variables.push(("sip_network_port".to_owned(), port));
        let (core, far) = node.enter(spec, Some(Arc::clone(&self.channel))).parts();
        Ok(Outgoing {
            channel: near,
            driver: Driver::Pair(Pair::new(core, far, true)),
        })
    }

    /// Headers of the INVITE of a leg: its own, and the caller's, which mod_sofia copies unless it is
    /// told not to.
    fn sent_headers(&self, leg: &Channel) -> Vec<(String, String)> {
        let is_header = |name: &str| {
            let head = name.get(.."sip_h_".len());
            head.is_some_and(|head| head.eq_ignore_ascii_case("sip_h_"))
        };
        let headers = |channel: &Channel| -> Vec<(String, String)> {
            let leg = channel.leg();
            let headers = leg.variables.iter().filter(|(name, _)| is_header(name));
            headers.map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
        };
        let mut sent = headers(leg);
        let copies = self.channel.variable("sip_copy_custom_headers");
        if copies.is_none_or(|text| super::leg::is_true(&text)) {
            for (name, value) in headers(&self.channel) {
                if find(&sent, &name).is_none() {
                    sent.push((name, value));
                }
            }
        }
        sent
    }

    fn callee_sip(&self, profile: &str, user: &str, host: &str, address: &str) -> Sip {
        let caller = self.channel.leg();
        let (bare, port) = address.rsplit_once(':').unwrap_or((address, "5060"));
        Sip {
            profile: profile.into(),
            from_user: caller.party.caller_number.clone(),
            from_host: match &caller.kind {
                Kind::Caller(sip) => sip.from_host.clone(),
                _ => "127.0.0.1".into(),
            },
            to_user: user.into(),
            to_host: host.into(),
            host: bare.into(),
            port: port.parse().unwrap_or(5060),
            user_agent: "TestPhone/1.0".into(),
        }
    }

    fn dial_phone(
        &self,
        sip: Sip,
        channel_name: &str,
        steps: VecDeque<Step>,
        variables: &[(String, String)],
    ) -> Outgoing {
        let address = sip.host.clone();
        let number = sip.to_user.clone();
        let kind = Kind::Callee(sip);
        let channel = self.new_leg(
            kind,
            "mod_sofia",
            channel_name,
            &number,
            &address,
            variables,
        );
        self.announce_leg(&channel, "sofia");
        Outgoing {
            channel,
            driver: Driver::Phone {
                steps,
                due: Instant::now(),
            },
        }
    }

    /// A pair: its near half is bridged, its far half comes in as a new call.
    fn dial_loopback(
        &self,
        target: &str,
        variables: &[(String, String)],
    ) -> Result<Outgoing, HangupCause> {
        let (number, rest) = target.split_once('/').unwrap_or((target, "default"));
        let context = rest.split('/').next().unwrap_or("default");
        let near_name = format!("loopback/{number}-a");
        let far_name = format!("loopback/{number}-b");
        let far_uuid = new_uuid();
        let kind = Kind::LoopbackA(Arc::clone(&far_uuid));
        let near = self.new_leg(kind, "mod_loopback", &near_name, number, "", variables);
        let mut party = (*near.leg().party).clone();
        party.uuid = far_uuid;
        party.direction = Direction::Inbound;
        party.context = context.into();
        party.channel_name = far_name.into();
        let kind = Kind::LoopbackB(Arc::clone(&near.uuid));
        let session = self.core.next_session();
        let mut leg = Leg::new(party, kind, session, self.core.clock.now_us());
        leg.call_uuid = Arc::clone(&self.channel.leg().call_uuid);
        for (name, value) in variables {
            if !name.starts_with("origination_") && !name.starts_with("leg_") {
                leg.variables.set(name, value);
            }
        }
        let (core, caller) = self.shared();
        let far = Channel::new(leg, Some(caller), None);
        core.add_channel(&far);
        self.announce_leg(&near, "loopback");
        let session = Session::new(core, Arc::clone(&far), Arc::clone(&self.dialplan));
        let dead = self.core.dead.clone();
        tokio::spawn(dead.run_until_cancelled_owned(session.run()));
        Ok(Outgoing {
            channel: near,
            driver: Driver::Pair(Pair::new(Arc::clone(&self.core), far, false)),
        })
    }

    fn new_leg(
        &self,
        kind: Kind,
        source: &'static str,
        channel_name: &str,
        number: &str,
        address: &str,
        variables: &[(String, String)],
    ) -> Arc<Channel> {
        let caller = self.channel.leg();
        let value = |name: &str| find(variables, name).map(Box::from);
        let effective = |name: &str| caller.variables.find(name).map(Box::from);
        let party = Party {
            uuid: find(variables, "origination_uuid").map_or_else(new_uuid, Arc::from),
            direction: Direction::Outbound,
            username: caller.party.username.clone(),
            caller_name: value("origination_caller_id_name")
                .or_else(|| effective("effective_caller_id_name"))
                .unwrap_or_else(|| caller.party.caller_name.clone()),
            caller_number: value("origination_caller_id_number")
                .or_else(|| effective("effective_caller_id_number"))
                .unwrap_or_else(|| caller.party.caller_number.clone()),
            address: if address.is_empty() {
                caller.party.address.clone()
            } else {
                address.into()
            },
            destination: number.into(),
            context: caller.party.context.clone(),
            redirected_from: None,
            channel_name: channel_name.into(),
            source,
        };
        let mut leg = Leg::new(
            party,
            kind,
            self.core.next_session(),
            self.core.clock.now_us(),
        );
        leg.call_uuid = Arc::clone(&caller.call_uuid);
        leg.callee = Some((
            value("origination_callee_id_name").unwrap_or_else(|| "Outbound Call".into()),
            value("origination_callee_id_number").unwrap_or_else(|| number.into()),
        ));
        leg.other = Some(Other {
            role: "originator",
            party: Arc::clone(&caller.party),
            times: super::leg::Times::default(),
            callee: caller.callee.clone(),
        });
        leg.state = RunState::Init;
        let exported = caller.variables.find("export_vars").unwrap_or_default();
        for name in exported.split(',').filter(|name| !name.is_empty()) {
            let value = lookup_exported(&caller, name);
            leg.variables.set(name, &value);
        }
        leg.variables.set("originator", &self.channel.uuid);
        leg.variables.set("signal_bond", &self.channel.uuid);
        leg.variables
            .set("originating_leg_uuid", &self.channel.uuid);
        for (name, value) in variables {
            leg.variables.set(name, value);
        }
        drop(caller);
        let channel = Channel::new(leg, Some(Arc::clone(&self.channel)), None);
        self.core.add_channel(&channel);
        channel
    }

    /// The events of a new dialled leg, and what the caller's leg remembers of it.
    fn announce_leg(&self, leg: &Arc<Channel>, endpoint: &str) {
        leg.set("originate_endpoint", endpoint);
        let core = &self.core;
        core.fire_detail(
            "CHANNEL_STATE",
            super::lifecycle::STATE,
            leg,
            Detail::Basic,
            &[],
        );
        core.fire_leg("CHANNEL_OUTGOING", OUTGOING, leg, &[]);
        core.fire_leg("CHANNEL_CREATE", CREATE, leg, &[]);
        core.fire_leg("CHANNEL_ORIGINATE", ORIGINATE, leg, &[]);
        core.set_state(leg, RunState::Routing);
        core.set_state(leg, RunState::ConsumeMedia);
        let callee = leg.leg().callee.clone();
        let (name, number) = callee.unwrap_or_default();
        let mut caller = self.channel.leg();
        caller.variables.set("originate_signal_bond", &leg.uuid);
        let entry = format!("{};{name};{number}", leg.uuid);
        caller.variables.push("originated_legs", &entry);
    }
}

fn lookup_exported(caller: &Leg, name: &str) -> String {
    let local = caller.variables.find(name);
    let value = local.or_else(|| caller.variables.find(&format!("nolocal:{name}")));
    value.unwrap_or_default().to_owned()
}
