//! How long the decision about a call takes: from its arrival to the dial string, out of the store.
//!
//! `cargo bench --bench route`. Every size is a store of its own: accounts of 100 devices, each
//! device with an owner, a callflow and a registration. `ROUTE_SIZES=1000,100000` builds only
//! these (the million takes minutes and some gigabytes).
//!
//! * `warm`: calls between a thousand devices whose documents are in the store's cache.
//! * `spread`: calls between random devices of the whole store, most of them not in the cache
//!   where there are more documents than it holds.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that can't be built has nothing to measure"
)]

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use divan::counter::ItemsCount;
use linefinder::callflow::{self, Context, Resolved, decide};
use linefinder::documents::{Document, DocumentKey, DocumentType, Registration};
use linefinder::routing::{self, Silent};
use linefinder::store::{Store, Write};
use linefinder::switch::{Arrival, Handoff};
use linefinder::types::{AccountId, CallId, DocumentId, NodeName};
use serde_json::{Value, json};

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

/// Devices of one account.
const ACCOUNT: usize = 100;

/// Devices that the warm calls are made between.
const WARM: usize = 1_000;

/// The moment of the decision: 2025-01-01.
const NOW: i64 = 1_735_689_600;

/// When the registrations lapse: 2100-01-01, since the store forgets lapsed ones by the real clock
/// and the largest store takes longer to build than a registration lives.
const EXPIRY: i64 = 4_102_444_800;

fn main() {
    divan::main();
}

fn sizes() -> Vec<usize> {
    let Ok(chosen) = std::env::var("ROUTE_SIZES") else {
        return SIZES.to_vec();
    };
    let chosen = chosen
        .split(',')
        .filter_map(|size| size.trim().parse().ok());
    chosen.collect()
}

#[divan::bench(args = sizes(), sample_count = 5000)]
fn warm(bencher: divan::Bencher<'_, '_>, devices: usize) {
    let context = context(devices);
    let arrivals = arrivals(devices, WARM.min(devices), 1_000);
    for arrival in &arrivals {
        route(&context, arrival);
    }
    measure(bencher, &context, &arrivals);
}

#[divan::bench(args = sizes(), sample_count = 5000)]
fn spread(bencher: divan::Bencher<'_, '_>, devices: usize) {
    let context = context(devices);
    let arrivals = arrivals(devices, devices, 10_000);
    measure(bencher, &context, &arrivals);
}

fn measure(bencher: divan::Bencher<'_, '_>, context: &Context, arrivals: &[Arrival]) {
    let mut next = arrivals.iter().cycle();
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| next.next().expect("there are arrivals"))
        .bench_local_refs(|arrival| route(context, arrival));
}

/// The decision of a live call: account, caller, callflow, plan, and the text of the dial string.
fn route(context: &Context, arrival: &Arrival) -> String {
    let office = context.office(NOW, 7);
    let decision = decide(context, &office, arrival, &mut Silent).expect("the call is admitted");
    match decision.result {
        Resolved::Bridge(plan) => plan.dial.render(),
        other => panic!("expected a bridge, got {other:?}"),
    }
}

/// Calls within random accounts, out of the first `among` devices.
fn arrivals(devices: usize, among: usize, count: usize) -> Vec<Arrival> {
    let mut random = fastrand::Rng::with_seed(11);
    let one = |_| {
        let caller = random.usize(..among.min(devices));
        let account = caller / ACCOUNT;
        let mut callee = account * ACCOUNT + random.usize(..ACCOUNT);
        if callee == caller {
            callee = account * ACCOUNT + (caller + 1) % ACCOUNT;
        }
        arrival(caller, callee)
    };
    (0..count).map(one).collect()
}

fn arrival(caller: usize, callee: usize) -> Arrival {
    let realm = realm(caller / ACCOUNT);
    let number = extension(caller);
    let variables = [
        ("sip_authorized", "true"),
        ("sip_auth_username", &number),
        ("user_name", &number),
        ("domain_name", &realm),
        ("sip_req_host", &realm),
    ];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    Arrival {
        call: CallId::new("a0000000-0000-4000-8000-000000000001").expect("an id"),
        node: NodeName::new("fs1").expect("a name"),
        handoff: Handoff::Socket,
        sip_call_id: Some("1@127.0.0.1".into()),
        destination: extension(callee),
        caller_name: Some("Somebody".into()),
        caller_number: Some(number.clone()),
        profile: Some("internal".into()),
        source: Some([127, 0, 0, 1].into()),
        core: String::new(),
        variables: HashMap::from(variables),
    }
}

/// The store of this size; each is built once and kept until the program ends.
fn context(devices: usize) -> Context {
    static BUILT: LazyLock<Mutex<HashMap<usize, Context>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().expect("not poisoned");
    built
        .entry(devices)
        .or_insert_with(|| build(devices))
        .clone()
}

fn build(devices: usize) -> Context {
    let store = Store::temporary().expect("a temporary store");
    for account in 0..devices.div_ceil(ACCOUNT) {
        let writes = account_writes(account, devices);
        store
            .apply_blocking(writes.into())
            .expect("documents are valid");
        let last = devices.min((account + 1) * ACCOUNT);
        for device in account * ACCOUNT..last {
            store.register(registration(device));
        }
    }
    let settings = callflow::Settings::default();
    Context::new(store, routing::Settings::default(), settings)
}

fn account_writes(account: usize, devices: usize) -> Vec<Write> {
    let id = format!("account{account}");
    let first = json!({"name": format!("Account {account}"), "realm": realm(account)});
    let mut writes = vec![write(DocumentType::Account, &id, &id, first)];
    for device in account * ACCOUNT..devices.min((account + 1) * ACCOUNT) {
        let number = extension(device);
        let device_id = format!("device{device}");
        let user_id = format!("user{device}");
        let user = json!({
            "first_name": "User", "last_name": number,
            "caller_id": {"internal": {"number": number, "name": format!("User {number}")}},
        });
        let body = json!({
            "name": format!("Phone {number}"), "owner_id": user_id,
            "sip": {"username": number, "password": format!("secret{device}")},
        });
        let flow = json!({"module": "device", "data": {"id": device_id, "timeout": 20}});
        let callflow = json!({"numbers": [number], "flow": flow});
        writes.push(write(DocumentType::User, &id, &user_id, user));
        writes.push(write(DocumentType::Device, &id, &device_id, body));
        writes.push(write(
            DocumentType::Callflow,
            &id,
            &format!("flow{device}"),
            callflow,
        ));
    }
    writes
}

fn write(kind: DocumentType, account: &str, id: &str, body: Value) -> Write {
    let Value::Object(body) = body else {
        panic!("a document is an object");
    };
    let account = AccountId::new(account).expect("an id");
    let id = DocumentId::new(id).expect("an id");
    let key = DocumentKey { kind, account, id };
    Write::Put(Document { key, body })
}

fn registration(device: usize) -> Registration {
    let user = extension(device);
    Registration {
        node: NodeName::new("fs1").expect("a name"),
        profile: "internal".into(),
        contact: format!(
            "<sip:{user}@127.0.0.1:5060;fs_nat=yes;fs_path=sip%3A{user}%40127.0.0.1%3A40001>"
        ),
        call_id: format!("registration{device}"),
        realm: realm(device / ACCOUNT),
        user,
        network_ip: None,
        network_port: None,
        user_agent: None,
        expires_at: EXPIRY,
        updated_ms: 0,
    }
}

fn realm(account: usize) -> String {
    format!("account{account}.test")
}

fn extension(device: usize) -> String {
    (1000 + device % ACCOUNT).to_string()
}
