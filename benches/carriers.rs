//! How long it takes to choose carriers: `cargo bench --bench carriers`.
//!
//! 40 carriers with 10,000 prefixes each, drawn from a common rate deck of 100,000 prefixes of 3 to 9 digits, 400,000
//! rules in all; half are `^\+PREFIX`, the others capture the number behind the prefix. They stand in a store on the
//! disk, as documents, and are read from there. Each number asks for its candidates: about seven carriers have a rule
//! for it. A second table holds no prefixes but 200 expressions that have to be tried one and all.
//!
//! With `--rules FILE` the deck goes to a file, one `PREFIX<TAB>CARRIER` a line, and with `--numbers FILE` the numbers
//! asked for: `benches/peers/drouting.sh` gives them to another router.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unsafe_code,
    reason = "a benchmark prints its report and ends at the first surprise; its allocator counts"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use linefinder::documents::{Document, DocumentKey, DocumentType};
use linefinder::routing::Silent;
use linefinder::routing::carriers::{ResourceSource, Table, Wanted};
use linefinder::routing::numbers::Classifiers;
use linefinder::store::{Store, StoreSettings, Write};
use linefinder::trunks::Carriers;
use linefinder::types::{AccountId, DocumentId};
use serde_json::{Value, json};

const CARRIERS: usize = 40;
const RULES: usize = 10_000;
const DECK: usize = 100_000;
const NUMBERS: usize = 50_000;
const ROUNDS: usize = 4;

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 3 to 9 digits, most of them 5 to 7, as rate decks have them: countries, networks in them, areas of those.
fn deck(random: &mut fastrand::Rng) -> Vec<String> {
    let mut prefixes = std::collections::BTreeSet::new();
    while prefixes.len() < DECK {
        let country = random.u32(20..100);
        let digits = random.choice([1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 7]).unwrap();
        let rest: String = (0..digits).map(|_| random.digit(10)).collect();
        prefixes.insert(format!("{country}{rest}"));
    }
    let mut all: Vec<_> = prefixes.into_iter().collect();
    random.shuffle(&mut all);
    all
}

/// Prefixes of one carrier.
fn rates(deck: &[String], random: &mut fastrand::Rng) -> Vec<String> {
    let mut places: Vec<usize> = (0..deck.len()).collect();
    random.shuffle(&mut places);
    places.truncate(RULES);
    places
        .into_iter()
        .map(|place| deck[place].clone())
        .collect()
}

fn rule(at: usize, prefix: &str) -> String {
    match at % 4 {
        0 | 1 => format!(r"^\+{prefix}"),
        2 => format!(r"^\+({prefix}\d*)$"),
        _ => format!(r"^(\+{prefix}\d{{4,12}})$"),
    }
}

fn document(id: usize, body: Value) -> Document {
    let Value::Object(body) = body else {
        panic!("no object")
    };
    Document {
        key: DocumentKey {
            kind: DocumentType::Resource,
            account: AccountId::installation(),
            id: DocumentId::new(&format!("carrier{id:03}")).unwrap(),
        },
        body,
    }
}

fn numbers(deck: &[String], random: &mut fastrand::Rng) -> Vec<String> {
    let number = |_| {
        let mut number = format!("+{}", random.choice(deck).unwrap());
        while number.len() < 12 {
            number.push(random.digit(10));
        }
        number
    };
    (0..NUMBERS).map(number).collect()
}

struct Spread {
    median: Duration,
    p99: Duration,
    /// Candidates of one number.
    mean: f64,
}

fn measure(table: &Table, numbers: &[String]) -> Spread {
    let account = AccountId::new("account").unwrap();
    let ask = |number: &str| {
        let wanted = Wanted {
            number,
            class: "international",
            flags: &[],
            account: &account,
            ancestors: &[],
            hunt_account: None,
            caller_number: "+12125551234",
            except: None,
            seed: 1,
        };
        table.select(black_box(&wanted), &mut Silent)
    };
    let mut times = Vec::with_capacity(numbers.len() * ROUNDS);
    let mut candidates = 0;
    for _ in 0..ROUNDS {
        for number in numbers {
            let begin = Instant::now();
            let chosen = ask(number);
            times.push(begin.elapsed());
            candidates += black_box(chosen).len();
        }
    }
    times.sort_unstable();
    Spread {
        median: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        mean: candidates as f64 / times.len() as f64,
    }
}

fn written(flag: &str, lines: impl Iterator<Item = String>) {
    let mut arguments = std::env::args().skip_while(|argument| argument != flag);
    if let Some(file) = arguments.nth(1) {
        let text: String = lines.fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        });
        std::fs::write(file, text).unwrap();
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}

fn main() {
    let mut random = fastrand::Rng::with_seed(7);
    let deck = deck(&mut random);
    let rates: Vec<_> = (0..CARRIERS).map(|_| rates(&deck, &mut random)).collect();
    let numbers = numbers(&deck, &mut random);
    written("--numbers", numbers.iter().cloned());
    let rows = rates.iter().enumerate().flat_map(|(carrier, rates)| {
        rates
            .iter()
            .map(move |prefix| format!("{prefix}\t{carrier}"))
    });
    written("--rules", rows);

    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        path: folder.path().join("store"),
        ..StoreSettings::default()
    };
    let store = Store::open(&settings).unwrap();
    let writes = rates.iter().enumerate().map(|(id, rates)| {
        let rules: Vec<_> = rates.iter().enumerate().map(|(at, rate)| rule(at, rate)).collect();
        let body = json!({"name": format!("Carrier {id}"), "rules": rules, "weight_cost": 1 + id % 90,
            "gateways": [{"server": format!("192.0.2.{}", id + 1)}]});
        Write::Put(document(id, body))
    });
    store
        .apply_blocking(writes.collect::<Vec<_>>().into())
        .unwrap();
    drop(store);
    drop(rates);
    let store = Store::open(&settings).unwrap();

    let before = ALLOCATED.load(Ordering::Relaxed);
    let begin = Instant::now();
    let carriers = Carriers::load(&store).unwrap();
    let loaded = begin.elapsed();
    let held = ALLOCATED.load(Ordering::Relaxed) - before;
    let rules = CARRIERS * RULES;

    let table = carriers.table();
    let spread = measure(&table, &numbers);
    println!(
        "{rules} prefix rules of {CARRIERS} carriers, {NUMBERS} numbers, {:.1} candidates each",
        spread.mean
    );
    println!("  load from the store    {:>8.2} s", loaded.as_secs_f64());
    println!(
        "  memory                 {:>8.0} bytes a rule (documents and index)",
        held as f64 / rules as f64
    );
    println!("  selection, median      {:>8.2} µs", micros(spread.median));
    println!("  selection, p99         {:>8.2} µs", micros(spread.p99));

    let expressions: Vec<_> = (0..200)
        .map(|at| ResourceSource {
            account: AccountId::installation(),
            id: DocumentId::new(&format!("expression{at}")).unwrap(),
            document: {
                let rule = format!(r"^\+(?:{0}|4{0}[13579])\d+[02468]$", 200 + at * 3);
                let body = json!({"rules": [rule], "gateways": [{"server": "192.0.2.1"}]});
                serde_json::from_value(body).unwrap()
            },
        })
        .collect();
    let table = Table::compile(&expressions, Classifiers::us());
    let spread = measure(&table, &numbers);
    println!(
        "200 rules that are expressions, {:.1} candidates each",
        spread.mean
    );
    println!("  selection, median      {:>8.2} µs", micros(spread.median));
    println!("  selection, p99         {:>8.2} µs", micros(spread.p99));
}
