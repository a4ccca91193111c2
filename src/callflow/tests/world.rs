//! A store with an account, two people and their phones, and calls between them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::leg::{Reaction, ScriptedLeg};
use crate::callflow::{CallReport, Context, Settings, run};
use crate::documents::{Document, DocumentKey, DocumentType, Registration};
use crate::routing;
use crate::store::{Change, Store, Write};
use crate::switch::{Arrival, Handoff, IncomingCall};
use crate::types::{AccountId, CallId, DocumentId, NodeName};

pub struct World {
    pub context: Context,
}

pub fn account_id() -> AccountId {
    AccountId::new("acc1").unwrap()
}

fn write(kind: DocumentType, account: &str, id: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("a document is an object");
    };
    let key = DocumentKey {
        kind,
        account: AccountId::new(account).unwrap(),
        id: DocumentId::new(id).unwrap(),
    };
    Write::Put(Document { key, body })
}

impl World {
    /// Account acc1 (realm acme.test) with alice and bob, who own a registered phone each.
    pub fn new() -> Self {
        let store = Store::temporary().unwrap();
        let world = Self {
            context: Context::new(store, routing::Settings::default(), Settings::default()),
        };
        world.account("acc1", json!({"name": "Acme", "realm": "acme.test"}));
        for name in ["alice", "bob"] {
            let user = json!({"first_name": name, "last_name": "Test"});
            world.put(DocumentType::User, &format!("usr_{name}"), user);
            let owner = format!("usr_{name}");
            world.device(name, json!({"owner_id": owner}));
            world.register(name);
        }
        world
    }

    pub fn account(&self, id: &str, body: Value) {
        self.apply(write(DocumentType::Account, id, id, body));
    }

    pub fn put(&self, kind: DocumentType, id: &str, body: Value) {
        self.apply(write(kind, "acc1", id, body));
    }

    /// Device `dev_NAME` with user name NAME.
    pub fn device(&self, name: &str, mut extra: Value) {
        let body = extra.as_object_mut().unwrap();
        body.insert("name".into(), json!(name));
        let sip = body.entry("sip").or_insert_with(|| json!({}));
        let sip = sip.as_object_mut().unwrap();
        sip.entry("username").or_insert_with(|| json!(name));
        sip.entry("password").or_insert_with(|| json!("pass-word"));
        self.put(DocumentType::Device, &format!("dev_{name}"), extra);
    }

    /// Callflow `cf1` on number 100.
    pub fn flow(&self, flow: Value) {
        self.callflow("cf1", json!({"numbers": ["100"], "flow": flow}));
    }

    pub fn callflow(&self, id: &str, body: Value) {
        self.put(DocumentType::Callflow, id, body);
    }

    pub fn register(&self, user: &str) {
        self.context.store.register(Registration {
            node: NodeName::new("fs1").unwrap(),
            profile: "internal".into(),
            user: user.into(),
            realm: "acme.test".into(),
            contact: format!("<sip:{user}@127.0.0.9:5062>"),
            call_id: format!("reg-{user}"),
            network_ip: None,
            network_port: None,
            user_agent: None,
            expires_at: i64::MAX / 2,
            updated_ms: 0,
        });
    }

    pub fn unregister(&self, user: &str) {
        let node = NodeName::new("fs1").unwrap();
        let store = &self.context.store;
        store.unregister(&node, user, "acme.test", None, None);
    }

    fn apply(&self, write: Write) {
        let writes = vec![write];
        self.context
            .store
            .apply_blocking(Change::imported(writes))
            .unwrap();
    }

    /// Alice calls 100; the leg reacts by the script.
    pub async fn call(
        &self,
        script: &[(&'static str, Reaction)],
    ) -> (Arc<ScriptedLeg>, CallReport) {
        self.place(alice_to("100"), script).await
    }

    pub async fn place(
        &self,
        arrival: Arrival,
        script: &[(&'static str, Reaction)],
    ) -> (Arc<ScriptedLeg>, CallReport) {
        let leg = ScriptedLeg::new(script);
        let incoming = IncomingCall {
            arrival,
            leg: leg.clone(),
        };
        let report = run(incoming, &self.context, &CancellationToken::new()).await;
        leg.assert_finished();
        assert_eq!(self.context.live.count(), 0, "a call is left on the table");
        (leg, report)
    }
}

/// Alice's phone, authenticated, calls.
pub fn alice_to(dialed: &str) -> Arrival {
    let mut arrival = outsider_to(dialed);
    arrival.caller_number = Some("1001".into());
    arrival.caller_name = Some("Alice".into());
    arrival.variables.extend([
        ("sip_authorized".into(), "true".into()),
        ("sip_auth_username".into(), "alice".into()),
        ("user_name".into(), "alice".into()),
        ("domain_name".into(), "acme.test".into()),
    ]);
    arrival
}

/// Somebody out there calls into acme.test.
pub fn outsider_to(dialed: &str) -> Arrival {
    Arrival {
        call: CallId::new("a0000000-0000-4000-8000-000000000001").unwrap(),
        node: NodeName::new("fs1").unwrap(),
        handoff: Handoff::Socket,
        sip_call_id: Some("sip-1@10.0.0.5".into()),
        destination: dialed.into(),
        caller_number: Some("+14155550123".into()),
        caller_name: Some("Outside".into()),
        profile: Some("internal".into()),
        source: Some("127.0.0.77".parse().unwrap()),
        core: "core".into(),
        variables: HashMap::from([("sip_req_host".into(), "acme.test".into())]),
    }
}

/// A flow node that refuses with this status: tells in the log which way the flow went.
pub fn refuse(status: u16) -> Value {
    json!({"module": "response", "data": {"code": status, "message": "x"}})
}
