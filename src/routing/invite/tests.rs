use std::sync::LazyLock;

use super::*;

static US: Normalizer = Normalizer::us();
static NODES: LazyLock<BTreeMap<NodeName, String>> = LazyLock::new(|| {
    let node = |name, address: &str| (NodeName::new(name).unwrap(), address.to_owned());
    BTreeMap::from([
        node("node-a", "node-a.example.net:5060"),
        node("node-b", "node-b.example.net:5060"),
    ])
});

fn input() -> InviteInput<'static> {
    InviteInput {
        format: InviteFormat::Username,
        username: Some("2001"),
        static_invite: None,
        static_route: None,
        number: None,
        route: None,
        ip: None,
        by_ip_only: false,
        proxy: None,
        forward: None,
        transport: None,
        profile: None,
        realm: Some("acme.example.com"),
        dialed: "4155550123",
        normalizer: &US,
        default_profile: "internal",
        forward_context: "default",
        node: "node-a",
        nodes: &NODES,
    }
}

fn at(contact: &str) -> Binding<'_> {
    Binding {
        node: "node-a",
        profile: "internal",
        user: "2001",
        realm: "acme.example.com",
        contact,
    }
}

const PLAIN: &str = "\"2001\" <sip:x7f@203.0.113.10:5060;transport=ws>";
const NAT: &str = "<sip:2001@192.168.1.20:5060;fs_nat=yes;fs_path=sip%3A2001%40198.51.100.7%3A401>";
const EDGE: &str = "\"\" <sip:2001@10.1.1.8:5060;fs_path=%3Csip%3Aedge.example.net%3Blr%3E>";

fn dial(input: &InviteInput<'_>, contact: &str) -> Result<String, LegError> {
    endpoint(input, Some(&at(contact))).map(|invite| invite.endpoint.to_string())
}

#[test]
fn every_format_has_its_user_part() {
    use InviteFormat::{Contact, E164, Npan, OneNpan, StripPlus, Username};
    for (format, registered, fixed) in [
        (Username, "2001", "2001"),
        (Npan, "4155550123", "4155550123"),
        (OneNpan, "14155550123", "14155550123"),
        (E164, "+14155550123", "+14155550123"),
        (StripPlus, "14155550123", "14155550123"),
        (Contact, "x7f", "4155550123"),
    ] {
        let mut i = InviteInput { format, ..input() };
        let expected = format!("sofia/internal/sip:{registered}@203.0.113.10:5060;transport=ws");
        assert_eq!(dial(&i, PLAIN), Ok(expected), "{format}");
        i.ip = Some("198.51.100.9");
        let expected = format!("sofia/internal/sip:{fixed}@198.51.100.9");
        assert_eq!(dial(&i, PLAIN), Ok(expected), "{format}");
    }
}

#[test]
fn without_a_number_the_contact_keeps_its_user() {
    let mut i = InviteInput {
        format: InviteFormat::E164,
        dialed: "",
        static_invite: Some("line7"),
        ..input()
    };
    assert!(dial(&i, PLAIN).unwrap().contains("sip:x7f@"));
    i.number = Some("14155550177");
    assert!(dial(&i, PLAIN).unwrap().contains("sip:+14155550177@"));
    i.format = InviteFormat::Username;
    assert!(dial(&i, PLAIN).unwrap().contains("sip:line7@"));
    i.static_invite = Some(" ");
    i.username = None;
    assert!(dial(&i, PLAIN).unwrap().contains("sip:14155550177@"));
}

#[test]
fn a_hostile_user_part_is_encoded() {
    let i = InviteInput {
        static_invite: Some("a]b,c|d@e;fs_path=x ${y}'ü"),
        ..input()
    };
    assert_eq!(
        dial(&i, "<sip:203.0.113.10>").unwrap(),
        "sofia/internal/sip:a%5Db%2Cc%7Cd%40e%3Bfs_path%3Dx%20%24%7By%7D%27%C3%BC@203.0.113.10"
    );
}

#[test]
fn a_static_address_wins_over_a_registration() {
    for (ip, host) in [
        ("198.51.100.9:5070", "198.51.100.9:5070"),
        ("2001:db8::9", "[2001:db8::9]"),
        ("[2001:db8::9]:5070", "[2001:db8::9]:5070"),
        ("door.example.net", "door.example.net"),
    ] {
        let i = InviteInput {
            ip: Some(ip),
            ..input()
        };
        assert!(!i.needs_registration());
        let expected = format!("sofia/internal/sip:2001@{host}");
        assert_eq!(dial(&i, PLAIN), Ok(expected));
    }
    for ip in ["a@b", "a/b", "a,b", "[::1", ":5060", "a b"] {
        let i = InviteInput {
            ip: Some(ip),
            ..input()
        };
        assert_eq!(dial(&i, PLAIN), Err(LegError::InvalidUri), "{ip}");
    }
    let i = InviteInput {
        by_ip_only: true,
        ..input()
    };
    assert_eq!(dial(&i, PLAIN), Err(LegError::NotRegistered));
}

#[test]
fn routes() {
    let route = |route: &'static str| {
        let format = InviteFormat::Route;
        let i = InviteInput {
            format,
            route: Some(route),
            ..input()
        };
        assert!(!i.needs_registration());
        endpoint(&i, None).map(|invite| invite.endpoint.to_string())
    };
    for (text, dialled) in [
        (
            "sip:+1@gw.example.net:5080",
            "sofia/internal/sip:+1@gw.example.net:5080",
        ),
        ("sips:+1@gw", "sofia/internal/sips:+1@gw"),
        (
            "desk@gw.example.net",
            "sofia/internal/sip:desk@gw.example.net",
        ),
        ("loopback/3000", "loopback/3000/default"),
        ("sofia/external/sip:a@b", "sofia/external/sip:a@b"),
        ("sofia/gateway/gw1/1;a=b", "sofia/gateway/gw1/1;a=b"),
    ] {
        assert_eq!(route(text).as_deref(), Ok(dialled));
    }
    for text in [
        "loopback/3000/secret",
        "loopback/app=system:id",
        "user/2001@acme.example.com",
        "error/USER_BUSY",
        "verto.rtc/x",
        "sip:a@b,sofia/internal/sip:c@d",
        "sip:",
        "sip:a@",
        "sip:a@b]",
        "sofia/internal",
    ] {
        assert_eq!(route(text), Err(LegError::InvalidUri), "{text}");
    }
    assert_eq!(route(" "), Err(LegError::NoRoute));
}

#[test]
fn a_static_route_is_a_route_or_a_user() {
    let mut i = InviteInput {
        static_route: Some("door"),
        static_invite: Some("line7"),
        format: InviteFormat::Contact,
        ..input()
    };
    assert!(dial(&i, PLAIN).unwrap().contains("sip:door@203.0.113.10"));
    i.static_route = Some("door@192.0.2.44");
    assert_eq!(
        dial(&i, PLAIN).unwrap(),
        "sofia/internal/sip:door@192.0.2.44"
    );
    i.static_route = Some("sip:192.0.2.44:5062");
    assert_eq!(
        dial(&i, PLAIN).unwrap(),
        "sofia/internal/sip:192.0.2.44:5062"
    );
    i.format = InviteFormat::Route;
    assert_eq!(dial(&i, PLAIN), Err(LegError::NoRoute));
    i.route = Some("a@b");
    assert_eq!(dial(&i, PLAIN).unwrap(), "sofia/internal/sip:a@b");
}

#[test]
fn profiles() {
    for (profile, expected) in [
        (Some("external"), "external"),
        (Some("sofia/phones/"), "phones"),
        (Some("sofia/"), "internal"),
        (None, "internal"),
    ] {
        let i = InviteInput { profile, ..input() };
        let expected = format!("sofia/{expected}/sip:");
        assert!(dial(&i, PLAIN).unwrap().starts_with(&expected));
    }
    let wan = Binding {
        profile: "wan",
        ..at(PLAIN)
    };
    let invite = endpoint(&input(), Some(&wan)).unwrap();
    assert_eq!(invite.endpoint.profile(), Some("wan"));
    let i = InviteInput {
        profile: Some("a]b"),
        ..input()
    };
    assert_eq!(dial(&i, PLAIN), Err(LegError::InvalidUri));
}

#[test]
fn the_path_is_kept_encoded_however_it_came() {
    let nat = "sofia/internal/sip:2001@192.168.1.20:5060;fs_nat=yes\
               ;fs_path=sip%3A2001%40198.51.100.7%3A401";
    assert_eq!(dial(&input(), NAT).unwrap(), nat);
    let plain = "<sip:2001@192.168.1.20:5060;fs_nat=yes;fs_path=sip:2001@198.51.100.7:401>";
    assert_eq!(dial(&input(), plain).unwrap(), nat);
    let parameters = "<sip:2001@a;fs_nat=yes;fs_path=sip:2001@b:1;transport=udp>";
    assert_eq!(
        dial(&input(), parameters).unwrap(),
        "sofia/internal/sip:2001@a;fs_nat=yes;fs_path=sip%3A2001%40b%3A1%3Btransport%3Dudp"
    );
    let several = "<sip:2001@a;fs_path=<sip:e1;lr>,<sip:e2;lr>>";
    assert_eq!(
        dial(&input(), several).unwrap(),
        "sofia/internal/sip:2001@a;fs_path=%3Csip%3Ae1%3Blr%3E%2C%3Csip%3Ae2%3Blr%3E"
    );
    // The user inside the path is not the user of the contact.
    let no_user = "<sip:203.0.113.10:5060;fs_path=sip:x@edge>";
    assert_eq!(
        dial(&input(), no_user).unwrap(),
        "sofia/internal/sip:2001@203.0.113.10:5060;fs_path=sip%3Ax%40edge"
    );
    let literal = "<sip:2001@[2001:db8::1]:5060;fs_path=sip:[2001:db8::2]>";
    assert_eq!(
        dial(&input(), literal).unwrap(),
        "sofia/internal/sip:2001@[2001:db8::1]:5060;fs_path=sip%3A%5B2001%3Adb8%3A%3A2%5D"
    );
}

#[test]
fn hostile_contacts_are_refused() {
    let i = InviteInput {
        format: InviteFormat::Contact,
        ..input()
    };
    for contact in [
        "<sip:a]sofia/gateway/toll/900@b>",
        "<sip:a@b,error/USER_BUSY>",
        "<sip:a@b|error/USER_BUSY>",
        "<sip:${system(id)}@b>",
        "<sip:a'@b>",
        "<sip:a\r\nX: y@b>",
        "<sip:a^b@c>",
        "<sip:_:_:_@c>",
        "<sip:a@b>;x=y>",
        "<sip:a@b;fs_path=sip%3Ab%0d%0aX%3A%20y>",
        "<sip:a@b;fs_path=sip%3A%ff>",
        "<sip:@>",
        "*",
    ] {
        assert_eq!(dial(&i, contact), Err(LegError::InvalidUri), "{contact}");
    }
}

#[test]
fn proxy_forward_and_transport() {
    let mut i = InviteInput {
        proxy: Some("192.0.2.50"),
        ..input()
    };
    let base = "sofia/internal/sip:2001@10.1.1.8:5060";
    assert_eq!(
        dial(&i, EDGE).unwrap(),
        format!("{base};fs_path=sip%3A192.0.2.50")
    );
    i.transport = Some("TCP");
    let path = "%3Csip%3A192.0.2.50%3Btransport%3Dtcp%3E";
    assert_eq!(
        dial(&i, EDGE).unwrap(),
        format!("{base};transport=tcp;fs_path={path}")
    );
    i.proxy = Some("sip:192.0.2.50;transport=udp");
    assert!(dial(&i, EDGE).unwrap().ends_with(path));
    i.proxy = None;
    let edge = "%3Csip%3Aedge.example.net%3Blr%3Btransport%3Dtcp%3E";
    assert_eq!(
        dial(&i, EDGE).unwrap(),
        format!("{base};transport=tcp;fs_path={edge}")
    );
    assert_eq!(
        dial(&i, "<sip:a@b;Transport=udp;x=y?h=v>").unwrap(),
        "sofia/internal/sip:2001@b;x=y;transport=tcp?h=v"
    );
    i.transport = Some("carrier-pigeon");
    assert!(!dial(&i, EDGE).unwrap().contains("pigeon"));

    i.forward = Some("192.0.2.60:5080");
    let invite = endpoint(&i, Some(&at(PLAIN))).unwrap();
    assert_eq!(invite.route_uri.as_deref(), Some("sip:192.0.2.60:5080"));
    i.forward = Some("sips:[2001:db8::1]");
    let invite = endpoint(&i, Some(&at(PLAIN))).unwrap();
    assert_eq!(invite.route_uri.as_deref(), Some("sips:[2001:db8::1]"));
    i.forward = Some("a,b");
    assert_eq!(dial(&i, PLAIN), Err(LegError::InvalidUri));
    i.forward = None;
    i.proxy = Some("a\nb");
    assert_eq!(dial(&i, PLAIN), Err(LegError::InvalidUri));
}

#[test]
fn another_node_is_asked_to_ring_its_own_phones() {
    let i = InviteInput {
        node: "node-b",
        format: InviteFormat::E164,
        forward: Some("192.0.2.60"),
        transport: Some("tcp"),
        ..input()
    };
    let invite = endpoint(&i, Some(&at(NAT))).unwrap();
    assert!(invite.via_sister_node && invite.route_uri.is_none());
    assert_eq!(
        invite.endpoint.to_string(),
        "sofia/internal/sip:2001@acme.example.com;fs_path=sip%3Anode-a.example.net%3A5060"
    );
    let i = InviteInput {
        transport: None,
        forward: None,
        ..i
    };
    let edge = endpoint(&i, Some(&at(EDGE))).unwrap();
    assert!(!edge.via_sister_node);
    assert!(
        edge.endpoint
            .to_string()
            .contains("sip:+14155550123@10.1.1.8")
    );
    let unknown = Binding {
        node: "node-z",
        ..at(NAT)
    };
    assert_eq!(endpoint(&i, Some(&unknown)), Err(LegError::NotRegistered));
}

#[test]
fn live_contacts_ring_newest_first() {
    let registration = |node: &str, contact: &str, expires_at, updated_ms| Registration {
        node: NodeName::new(node).unwrap(),
        profile: "internal".into(),
        user: "2001".into(),
        realm: "acme.example.com".into(),
        contact: contact.into(),
        call_id: String::new(),
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at,
        updated_ms,
    };
    let mut registrations = vec![
        registration("node-a", "<sip:1@old>", 939, 5),
        registration("node-a", "<sip:1@first>", 940, 1),
        registration("node-a", "<sip:1@bad]>", 2000, 9),
        registration("node-a", "<sip:1@second>", 1000, 2),
        registration("node-b", "<sip:1@third>", 1000, 3),
        registration("node-b", "<sip:1@fourth>", 1000, 4),
    ];
    let invites = endpoints(&input(), &registrations, 1000, 60).unwrap();
    let texts: Vec<_> = invites.iter().map(|i| i.endpoint.to_string()).collect();
    assert_eq!(
        texts,
        [
            "sofia/internal/sip:2001@acme.example.com;fs_path=sip%3Anode-b.example.net%3A5060",
            "sofia/internal/sip:2001@second",
            "sofia/internal/sip:2001@first",
        ]
    );
    registrations.truncate(1);
    let none = endpoints(&input(), &registrations, 1000, 60);
    assert_eq!(none, Err(LegError::NotRegistered));
    let bad = [registration("node-a", "<sip:1@bad]>", 2000, 9)];
    assert_eq!(
        endpoints(&input(), &bad, 1000, 60),
        Err(LegError::InvalidUri)
    );
}
