//! What the directory says of trunks: customers' PBXs, far ends that want a password, gateways, and the list of addresses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

mod directory_support;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use directory_support::{Directory, device, document, put, sip_auth, start, store};
use linefinder::directory::{Server, Settings, Trunks};
use linefinder::documents::DocumentType;
use linefinder::routing::carriers::{GatewayKey, SwitchGateway};
use linefinder::store::{Change, Store};
use linefinder::types::{AccountId, DocumentId};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn md5(text: &str) -> String {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn server(user: &str, password: &str, options: Value) -> Value {
    json!({"name": user, "DIDs": {}, "options": options,
        "auth": {"auth_method": "Password", "auth_user": user, "auth_password": password}})
}

/// Acme with two PBXs that register, one that is disabled and one known by its address.
fn with_servers() -> Store {
    let store = store();
    let by_address = json!({"name": "static", "DIDs": {}, "options": {},
        "auth": {"auth_method": "ip", "auth_user": "static", "auth_password": "secret-static", "ip": "192.0.2.7"}});
    let servers = json!([
        server("Pbx1", "secret-pbx1", json!({})),
        server("off", "secret-off", json!({"enabled": false})),
        by_address,
        server("both", "secret-of-the-pbx", json!({})),
    ]);
    let pbx = json!({"name": "pbx", "account": {"auth_realm": "acme.test"}, "servers": servers});
    let gone = json!({"name": "pbx", "account": {"auth_realm": "gone.test"},
        "servers": [server("pbx9", "secret-pbx9", json!({}))]});
    put(
        &store,
        vec![
            document(DocumentType::Connectivity, "acme", "pbx", pbx),
            document(DocumentType::Connectivity, "gone", "pbx", gone),
        ],
    );
    store
}

#[tokio::test]
async fn a_pbx_is_written_whole() {
    let directory = start(with_servers(), Settings::default());
    for method in ["REGISTER", "INVITE"] {
        let reply = directory
            .post(&sip_auth(method, "PBX1", "acme.test", ""))
            .await;
        let named = |name: &str| {
            reply
                .named(name)
                .unwrap_or_else(|| panic!("{name}: {}", reply.body))
        };
        // The name as the PBX spells it counts in its digest.
        assert_eq!(named("a1-hash"), md5("PBX1:acme.test:secret-pbx1"));
        assert_eq!(named("allow-empty-password"), "false");
        assert_eq!(named("user_context"), "from-trunk");
        assert_eq!(named("accountcode"), "acme");
        assert_eq!(named("lf_account_id"), "acme");
        assert_eq!(named("lf_account_realm"), "acme.test");
        assert_eq!(named("lf_authorizing_type"), "sys_info");
        assert_eq!(named("lf_authorizing_id"), "pbx");
        assert_eq!(named("lf_server_index"), "0");
        assert_eq!(named("lf_username"), "PBX1");
        assert_eq!(named("lf_realm"), "acme.test");
        assert!(reply.named("lf_device_id").is_none());
        assert!(!reply.body.contains("secret-pbx1"), "{}", reply.body);
    }
}

#[tokio::test]
async fn who_is_disabled_or_known_by_an_address_has_no_password() {
    let directory = start(with_servers(), Settings::default());
    for (user, domain) in [
        ("off", "acme.test"),
        ("static", "acme.test"),
        ("pbx9", "gone.test"),
        ("Pbx1", "gone.test"),
        ("pbx2", "acme.test"),
    ] {
        for method in ["REGISTER", "INVITE"] {
            let reply = directory.post(&sip_auth(method, user, domain, "")).await;
            assert!(reply.is_not_found(), "{user}@{domain}: {}", reply.body);
        }
    }
}

/// No such pair is taken by the API; an import brings it.
#[tokio::test]
async fn a_device_wins_a_clash() {
    let store = with_servers();
    let body =
        json!({"name": "both", "sip": {"username": "both", "password": "secret-of-the-device"}});
    let imported = Change::imported(vec![device("both", body)]);
    store.apply_blocking(imported).unwrap();
    let directory = start(store, Settings::default());
    let reply = directory
        .post(&sip_auth("REGISTER", "both", "acme.test", ""))
        .await;
    let expected = md5("both:acme.test:secret-of-the-device");
    assert_eq!(reply.named("a1-hash"), Some(expected), "{}", reply.body);
    assert_eq!(reply.named("lf_device_id").as_deref(), Some("both"));
}

fn reverse(user: &str, domain: &str) -> String {
    format!(
        "section=directory&tag_name=domain&key_name=name&key_value={domain}&action=reverse-auth-lookup&key=id\
         &user={user}&domain={domain}"
    )
}

#[tokio::test]
async fn a_far_end_that_wants_a_password() {
    let directory = start(with_servers(), Settings::default());
    for (asked, user, password) in [
        ("pbx1", "Pbx1", "secret-pbx1"),
        ("1001", "1001", "secret1234"),
    ] {
        let reply = directory.post(&reverse(asked, "acme.test")).await;
        assert_eq!(reply.named("reverse-auth-user").as_deref(), Some(user));
        assert_eq!(reply.named("reverse-auth-pass").as_deref(), Some(password));
        // The same answer must let nobody in.
        let hash = reply.named("a1-hash").unwrap();
        assert_ne!(hash, md5(&format!("{asked}:acme.test:{password}")));
        assert_eq!(
            reply.named("allow-empty-password").as_deref(),
            Some("false")
        );
    }
    for (user, domain) in [
        ("off", "acme.test"),
        ("nobody", "acme.test"),
        ("%2B12125550100", "192.0.2.99"),
        ("pbx9", "gone.test"),
    ] {
        let reply = directory.post(&reverse(user, domain)).await;
        assert!(reply.is_not_found(), "{user}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_pbx_that_wants_a_password_is_known_by_number_and_address() {
    let store = with_servers();
    let mut far = server("far", "secret-far", json!({"ip": "192.0.2.55"}));
    far["DIDs"] = json!({"+12125550100": {}});
    let pbx = json!({"name": "far", "account": {"auth_realm": "acme.test"}, "servers": [far]});
    put(
        &store,
        vec![document(DocumentType::Connectivity, "acme", "far", pbx)],
    );
    let directory = start(store, Settings::default());
    for number in ["%2B12125550100", "2125550100"] {
        let reply = directory.post(&reverse(number, "192.0.2.55")).await;
        let user = reply.named("reverse-auth-user");
        assert_eq!(user.as_deref(), Some("far"), "{number}: {}", reply.body);
    }
    for (number, host) in [
        ("%2B12125550100", "192.0.2.56"),
        ("2125550199", "192.0.2.55"),
    ] {
        let reply = directory.post(&reverse(number, host)).await;
        assert!(reply.is_not_found(), "{number}@{host}: {}", reply.body);
    }
}

struct Known;

impl Trunks for Known {
    fn gateways(&self, profile: &str) -> Vec<SwitchGateway> {
        let key = GatewayKey::new(
            &AccountId::installation(),
            &DocumentId::new("main").unwrap(),
            0,
        );
        let document = json!({"server": "192.0.2.1", "port": 5070, "register": true, "username": "a<b",
            "password": "\"&'>", "realm": "r.test", "ping": 15, "expire_seconds": 600});
        let document = serde_json::from_value(document).unwrap();
        let gateway = SwitchGateway::of(&key, &document, "trunk").unwrap();
        if profile == "trunk" {
            vec![gateway]
        } else {
            Vec::new()
        }
    }

    fn trusted(&self) -> Vec<IpAddr> {
        vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]
    }
}

fn with_trunks() -> Directory {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::bind(free, store(), Settings::default()).unwrap();
    let server = server.with_trunks(Arc::new(Known));
    let shutdown = CancellationToken::new();
    Directory {
        address: server.address(),
        task: tokio::spawn(server.run(shutdown.clone())),
        shutdown,
    }
}

fn gateways(profile: &str) -> String {
    format!("section=directory&Event-Name=REQUEST_PARAMS&purpose=gateways&profile={profile}")
}

#[tokio::test]
async fn the_gateways_of_a_profile() {
    let directory = with_trunks();
    let reply = directory.post(&gateways("trunk")).await;
    let name = Known.gateways("trunk")[0].name.clone();
    assert!(
        reply.body.contains(&format!("<gateway name=\"{name}\">")),
        "{}",
        reply.body
    );
    for (param, value) in [
        ("username", "a&lt;b"),
        ("password", "&quot;&amp;&apos;&gt;"),
        ("realm", "r.test"),
        ("proxy", "192.0.2.1:5070"),
        ("register", "true"),
        ("expire-seconds", "600"),
        ("ping", "15"),
        ("context", "from-trunk"),
    ] {
        assert_eq!(
            reply.named(param).as_deref(),
            Some(value),
            "{param}: {}",
            reply.body
        );
    }
    for body in [gateways("internal"), gateways("")] {
        let reply = directory.post(&body).await;
        assert!(reply.is_not_found(), "{}", reply.body);
    }
    let unasked = start(store(), Settings::default());
    assert!(unasked.post(&gateways("trunk")).await.is_not_found());
}

#[tokio::test]
async fn the_addresses_of_trunks_have_a_list_of_their_own() {
    let body = "section=configuration&tag_name=configuration&key_name=name&key_value=acl.conf";
    let reply = with_trunks().post(body).await;
    let start = "<list name=\"linefinder-trunks\" default=\"deny\">";
    let list = reply.body.split(start).nth(1).unwrap();
    let list = list.split("</list>").next().unwrap();
    assert!(
        list.contains("<node type=\"allow\" cidr=\"192.0.2.1/32\"/>"),
        "{list}"
    );
    assert!(
        list.contains("<node type=\"allow\" cidr=\"2001:db8::1/128\"/>"),
        "{list}"
    );
    assert_eq!(list.matches("<node").count(), 2, "{list}");
}
