//! The calls of the demo, and what has to become of each.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::super::simulation::Phone;
use crate::sim::{CallSpec, Handoff, Patience, PhoneScript};
use crate::types::HangupCause;

const ACME: &str = "acme.example";
const GLOBEX: &str = "globex.example";
/// A carrier, by the address that the simulated node trusts.
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

/// The two simulated nodes, and where they accept SIP from each other.
pub const NODES: [(&str, &str); 2] = [("fs1", "127.0.0.31:5060"), ("fs2", "127.0.0.32:5060")];

/// The phones of both accounts. Erin's is missing on purpose.
pub fn phones() -> Vec<Phone> {
    let answers = || PhoneScript::answers_after(Duration::from_millis(800));
    let there = |address: &str| Phone::at(address).that(answers());
    vec![
        Phone::registered("1000", ACME, "1000", "127.0.0.10:5060").that(answers()),
        Phone::registered("1001", ACME, "1001", "127.0.0.11:5060").that(answers()),
        Phone::registered("1002", ACME, "1002", "127.0.0.12:5060").that(answers()),
        // A softphone that invents a user for each registration, behind NAT.
        Phone::registered(
            "1003",
            ACME,
            "x7f3a",
            "127.0.0.13:41000;transport=tcp;fs_nat=yes",
        )
        .that(answers()),
        Phone::registered("1004", ACME, "1004", "127.0.0.14:5060").that(PhoneScript::refuses(486)),
        Phone::registered("1006", ACME, "1006", "127.0.0.16:5060").that(PhoneScript::rings()),
        Phone::registered("1007", ACME, "1007", "127.0.0.17:5060")
            .on("fs2")
            .that(answers()),
        // How the first node reaches the phone of the second: by its address of record, through that node.
        there("1007@acme.example"),
        there("@127.0.0.21:5080"),
        there("@127.0.0.22:5080"),
        there("@127.0.0.23:5080"),
        there("@127.0.0.24:5080"),
        there("door@127.0.0.25:5080"),
        Phone::registered("1001", GLOBEX, "1001", "127.0.0.41:5060").that(answers()),
        Phone::registered("1002", GLOBEX, "ivy", "127.0.0.42:5060").that(answers()),
    ]
}

/// How a call has to end.
pub enum End {
    Answered,
    /// The caller hears this instead: cause and SIP status.
    Refused(HangupCause, u16),
}

/// One call.
pub struct Scenario {
    /// What it shows.
    pub shows: &'static str,
    pub from: Caller,
    pub to: &'static str,
    pub by: Way,
    /// What each attempt dials, in order: a part of its dial string. Empty: nobody is dialled.
    pub dials: &'static [&'static str],
    pub end: End,
}

#[derive(Clone, Copy)]
pub enum Caller {
    /// User and realm.
    Device(&'static str, &'static str),
    /// A device, with the name that its phone shows.
    Named(&'static str, &'static str, &'static str),
    /// A number beyond the carrier.
    Carrier(&'static str),
}

/// How the call is handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Socket,
    Park,
}

impl Way {
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::Socket => "socket",
            Way::Park => "park",
        }
    }

    pub fn handoff(self, listening: SocketAddr) -> Handoff {
        match self {
            Way::Socket => Handoff::Socket(listening),
            Way::Park => Handoff::Park,
        }
    }
}

impl Caller {
    /// As the table shows it.
    pub fn label(self) -> String {
        match self {
            Caller::Device(user, realm) | Caller::Named(user, realm, _) => {
                let account = realm.split('.').next().unwrap_or(realm);
                format!("{user}@{account}")
            }
            Caller::Carrier(number) => number.to_owned(),
        }
    }
}

impl Scenario {
    /// The call for the simulated node: it hangs up a second after the answer, and gives up after half a minute.
    pub fn spec(&self, listening: SocketAddr) -> CallSpec {
        let handoff = self.by.handoff(listening);
        let spec = match self.from {
            Caller::Device(user, realm) => {
                CallSpec::device(&format!("{user}@{realm}"), self.to, handoff)
            }
            Caller::Named(user, realm, name) => {
                CallSpec::device(&format!("{user}@{realm}"), self.to, handoff)
                    .with_caller_id(name, user)
            }
            Caller::Carrier(number) => CallSpec::trunk(CARRIER, number, self.to, handoff),
        };
        spec.hanging_up_after(Patience::FromAnswer(Duration::from_secs(1)))
    }
}

const fn answered(
    shows: &'static str,
    from: Caller,
    to: &'static str,
    by: Way,
    dials: &'static [&'static str],
) -> Scenario {
    Scenario {
        shows,
        from,
        to,
        by,
        dials,
        end: End::Answered,
    }
}

const fn refused(
    shows: &'static str,
    from: Caller,
    to: &'static str,
    by: Way,
    cause: HangupCause,
    status: u16,
) -> Scenario {
    Scenario {
        shows,
        from,
        to,
        by,
        dials: &[],
        end: End::Refused(cause, status),
    }
}

const ALICE: Caller = Caller::Device("1001", ACME);
const BOB: Caller = Caller::Device("1002", ACME);
const HANK: Caller = Caller::Device("1001", GLOBEX);
const MALLORY: Caller = Caller::Named("1003", ACME, "O'Brien, ]${system reboot}[a=b|c");

/// In the order in which they are placed.
pub const ALL: &[Scenario] = &[
    answered(
        "a desk phone",
        ALICE,
        "1002",
        Way::Socket,
        &["/sip:1002@127.0.0.12:5060"],
    ),
    answered(
        "the same, parked",
        ALICE,
        "1002",
        Way::Park,
        &["/sip:1002@127.0.0.12:5060"],
    ),
    answered(
        "invite_format contact, NAT",
        BOB,
        "1003",
        Way::Socket,
        &["/sip:x7f3a@127.0.0.13:41000;transport=tcp;fs_nat=yes"],
    ),
    answered(
        "registered on the other node",
        ALICE,
        "1007",
        Way::Park,
        &["/sip:1007@acme.example;fs_path="],
    ),
    answered(
        "busy: reception takes it",
        ALICE,
        "1004",
        Way::Socket,
        &["/sip:1004@127.0.0.14:5060", "/sip:1000@127.0.0.10:5060"],
    ),
    answered(
        "no answer: Bob takes it",
        ALICE,
        "1006",
        Way::Park,
        &["/sip:1006@127.0.0.16:5060", "/sip:1002@127.0.0.12:5060"],
    ),
    answered(
        "a ring group, one member busy",
        ALICE,
        "1010",
        Way::Socket,
        &["/sip:1000@127.0.0.10:5060"],
    ),
    answered(
        "a user's phones",
        ALICE,
        "1020",
        Way::Park,
        &["/sip:1002@127.0.0.12:5060"],
    ),
    refused(
        "not registered",
        ALICE,
        "1005",
        Way::Socket,
        HangupCause::UserNotRegistered,
        480,
    ),
    refused(
        "calling oneself",
        ALICE,
        "1001",
        Way::Park,
        HangupCause::CallRejected,
        603,
    ),
    answered(
        "invite_format e164",
        ALICE,
        "4155550121",
        Way::Socket,
        &["/sip:+14155550121@127.0.0.21:5080"],
    ),
    answered(
        "invite_format npan",
        ALICE,
        "+14155550122",
        Way::Park,
        &["/sip:4155550122@127.0.0.22:5080"],
    ),
    answered(
        "invite_format 1npan",
        ALICE,
        "4155550123",
        Way::Socket,
        &["/sip:14155550123@127.0.0.23:5080"],
    ),
    answered(
        "invite_format strip_plus",
        ALICE,
        "4155550124",
        Way::Park,
        &["/sip:14155550124@127.0.0.24:5080"],
    ),
    answered(
        "invite_format route",
        BOB,
        "1100",
        Way::Socket,
        &["/sip:door@127.0.0.25:5080"],
    ),
    answered(
        "a pattern, *0 and extension",
        ALICE,
        "*01003",
        Way::Socket,
        &["/sip:1000@127.0.0.10:5060"],
    ),
    answered(
        "no_match",
        BOB,
        "7777",
        Way::Park,
        &["/sip:1000@127.0.0.10:5060"],
    ),
    answered(
        "a hostile caller name",
        MALLORY,
        "1002",
        Way::Socket,
        &["origination_caller_id_name=OBrien system rebootabc!"],
    ),
    answered(
        "another tenant, same number",
        HANK,
        "1002",
        Way::Park,
        &["/sip:ivy@127.0.0.42:5060"],
    ),
    refused(
        "no such number there",
        HANK,
        "7777",
        Way::Socket,
        HangupCause::NoRouteDestination,
        404,
    ),
    answered(
        "from a carrier to a number",
        Caller::Carrier("+442079460000"),
        "+14155550122",
        Way::Socket,
        &["/sip:4155550122@127.0.0.22:5080"],
    ),
    refused(
        "from a carrier to nobody's number",
        Caller::Carrier("+442079460000"),
        "+4930123456",
        Way::Park,
        HangupCause::NoRouteDestination,
        404,
    ),
];
