//! Figures, not a test: `cargo test --release --test store_scale -- --ignored --nocapture` imports a million devices and reads them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, its helpers included"
)]

use std::io::{BufReader, Read};
use std::time::Instant;

use linefinder::store::{Store, StoreSettings};
use linefinder::types::{AccountId, DocumentId};

/// Makes the lines as they are read.
struct Lines {
    next: usize,
    count: usize,
    line: Vec<u8>,
}

const PER_ACCOUNT: usize = 100;

impl Lines {
    fn fill(&mut self) {
        self.line.clear();
        let number = self.next;
        let account = number / PER_ACCOUNT;
        if number.is_multiple_of(PER_ACCOUNT) {
            let text = format!(
                "{{\"type\":\"account\",\"id\":\"acc{account}\",\"name\":\"Account {account}\",\"realm\":\"a{account}.example.com\"}}\n"
            );
            self.line.extend_from_slice(text.as_bytes());
        }
        let text = format!(
            "{{\"type\":\"device\",\"account_id\":\"acc{account}\",\"id\":\"dev{number}\",\"name\":\"Desk {number}\",\"owner_id\":\"u{}\",\
             \"caller_id\":{{\"internal\":{{\"name\":\"Desk {number}\",\"number\":\"{}\"}},\"external\":{{\"number\":\"+1415555{:04}\"}}}},\
             \"media\":{{\"audio\":{{\"codecs\":[\"OPUS\",\"PCMU\"]}}}},\"sip\":{{\"username\":\"user{}\",\"password\":\"secret{number}\",\"invite_format\":\"contact\"}}}}\n",
            number % 50,
            2000 + number % PER_ACCOUNT,
            number % 10_000,
            number % PER_ACCOUNT,
        );
        self.line.extend_from_slice(text.as_bytes());
        self.next += 1;
    }
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty() && self.next < self.count {
            self.fill();
        }
        let length = self.line.len().min(out.len());
        out[..length].copy_from_slice(&self.line[..length]);
        self.line.drain(..length);
        Ok(length)
    }
}

/// Heap and stacks; the program itself is not counted, a debug build's is large.
fn resident_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("RssAnon:")).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024.0
}

/// Median of single reads (address, account, device), in nanoseconds.
fn reads(store: &Store, devices: usize, rounds: usize) -> u128 {
    let mut random = fastrand::Rng::with_seed(7);
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let number = random.usize(0..devices);
        let (username, realm) = (
            format!("user{}", number % PER_ACCOUNT),
            format!("a{}.example.com", number / PER_ACCOUNT),
        );
        let start = Instant::now();
        let (account, id) = store.device_by_address(&username, &realm).unwrap().unwrap();
        let account_document = store.account(&account).unwrap();
        let device = store.device(&account, &id).unwrap();
        times.push(start.elapsed().as_nanos());
        assert!(account_document.is_some() && device.is_some());
        assert_eq!(id.as_str(), format!("dev{number}"));
    }
    times.sort_unstable();
    times[rounds / 2]
}

/// As a crash leaves the manifest.
fn forget_the_close(store: &std::path::Path) {
    let path = store.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest.as_object_mut().unwrap().remove("closed").unwrap();
    manifest["check"] = 0.into();
    std::fs::write(&path, manifest.to_string()).unwrap();
}

fn damage(store: &std::path::Path) {
    let path = store.join("db/db");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
}

#[test]
#[ignore = "takes minutes; prints figures"]
fn a_million_devices() {
    let count: usize = std::env::var("LINEFINDER_SCALE").map_or(1_000_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        path: folder.path().join("store"),
        ..StoreSettings::default()
    };
    println!("before: {:.1} MiB resident", resident_mib());
    let store = Store::open(&settings).unwrap();
    println!("empty: {:.1} MiB resident", resident_mib());
    let start = Instant::now();
    let lines = Lines {
        next: 0,
        count,
        line: Vec::new(),
    };
    let report = store.import(&mut BufReader::new(lines), false).unwrap();
    assert_eq!(report.problems, []);
    println!(
        "import of {} documents: {:.1} s, {:.1} MiB resident",
        report.imported,
        start.elapsed().as_secs_f64(),
        resident_mib()
    );
    let start = Instant::now();
    drop(store);
    println!("close: {:.1} s", start.elapsed().as_secs_f64());
    let opened = |what: &str, open: &dyn Fn() -> Store| {
        let start = Instant::now();
        let store = open();
        println!(
            "open {what}: {:.1} s, {:.1} MiB resident",
            start.elapsed().as_secs_f64(),
            resident_mib()
        );
        store
    };
    let command = || Store::open(&settings).unwrap();
    let service = || Store::open_for_service(&settings).unwrap();
    drop(opened("by a command, closed in good order", &command));
    let store = opened("by the daemon, closed in good order", &service);
    let start = Instant::now();
    drop(store);
    println!(
        "close with a backup: {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let backup = Store::backups(&settings).unwrap().remove(0);
    println!("backup: {} MiB", backup.size >> 20);
    let start = Instant::now();
    Store::verify_backup(&backup.path).unwrap();
    println!("verify: {:.1} s", start.elapsed().as_secs_f64());
    forget_the_close(&settings.path);
    drop(opened("by the daemon, after a crash", &service));
    if std::env::var_os("LINEFINDER_SCALE_REBUILD").is_some() {
        damage(&settings.path);
        drop(opened("by the daemon, a flipped byte", &service));
    }
    let store = opened("by a command", &command);
    for hot in [1_000, 100_000, count] {
        let hot = hot.min(count);
        let cold = reads(&store, hot, hot.min(20_000));
        reads(&store, hot, hot.min(300_000));
        let warm = reads(&store, hot, 20_000);
        println!(
            "reads among {hot}: {cold} ns cold, {warm} ns warm (median of address, account, device), {:.1} MiB resident",
            resident_mib()
        );
    }
    let start = Instant::now();
    let devices = store.devices_of(
        &AccountId::new("acc0").unwrap(),
        &DocumentId::new("u1").unwrap(),
    );
    println!(
        "devices of a user: {} in {:?}",
        devices.unwrap().len(),
        start.elapsed()
    );
    let used = std::process::Command::new("du")
        .arg("-sm")
        .arg(&settings.path)
        .output()
        .unwrap();
    println!(
        "on disk: {} MiB",
        String::from_utf8_lossy(&used.stdout)
            .split('\t')
            .next()
            .unwrap()
    );
}
