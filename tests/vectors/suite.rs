//! A suite: its file, its pending list, and the counting.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What is wrong with a case: one line for each difference.
pub type Differences = Vec<String>;

pub struct Suite {
    pub name: &'static str,
    /// The cases of a file, each with its `name`; [`listed`] where the file lists them.
    pub cases: fn(file: &Value) -> Vec<Value>,
    /// Runs one case of the file; nothing is wrong if it passes.
    pub run: fn(file: &Value, case: &Value) -> Differences,
    /// Cases that have to fail, with the file as their surroundings; returns those that did not.
    pub self_test: fn(file: &Value) -> Differences,
    /// When all cases have run.
    pub end: fn(),
}

/// The cases of a file that lists them as `cases`.
pub fn listed(file: &Value) -> Vec<Value> {
    file["cases"].as_array().expect("`cases` is a list").clone()
}

/// The comparison is tested with another file of the same form.
pub fn unspoilt(_file: &Value) -> Differences {
    Differences::new()
}

/// Nothing is left behind.
pub fn nothing() {}

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");

fn directory() -> PathBuf {
    std::env::var_os("LINEFINDER_VECTORS").map_or_else(|| PathBuf::from(OURS), PathBuf::from)
}

/// Names of cases whose fields are not built yet, one a line; `#` starts a comment.
fn pending(suite: &str) -> BTreeSet<String> {
    let path = Path::new(OURS).join(format!("pending-{suite}.txt"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let names = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The scenarios of all files of a folder of ours, in the order of their names, each with its file's name as `world`.
fn folder(path: &Path) -> Value {
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let mut scenarios = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file can be read");
        let mut whole: Value = serde_json::from_str(&text).expect("the vectors are JSON");
        for scenario in whole["scenarios"]
            .as_array_mut()
            .expect("`scenarios` is a list")
        {
            scenario["world"] = file.file_stem().unwrap().to_string_lossy().into();
            scenarios.push(scenario.take());
        }
    }
    serde_json::json!({ "scenarios": scenarios })
}

impl Suite {
    fn file(&self) -> Result<Value, String> {
        let ours = Path::new(OURS).join(self.name);
        if ours.is_dir() {
            return Ok(folder(&ours));
        }
        // Our own cases are here, wherever the others are read from.
        let directory = match self.name.ends_with("_own") {
            true => PathBuf::from(OURS),
            false => directory(),
        };
        let path = directory.join(format!("{}.json", self.name));
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text).expect("the vectors are JSON"))
    }

    /// Runs the suite; the last line printed is its count.
    pub fn check(&self) -> bool {
        let file = match self.file() {
            Ok(file) => file,
            Err(error) => {
                println!("{error}");
                println!("{}: 0 of 0", self.name);
                return false;
            }
        };
        let cases = (self.cases)(&file);
        let missed = (self.self_test)(&file);
        for line in &missed {
            println!("{}: the comparison does not see: {line}", self.name);
        }
        let pending = pending(self.name);
        let (mut passed, mut right) = (0, missed.is_empty() && !cases.is_empty());
        for case in &cases {
            let name = case["name"].as_str().unwrap_or("(without name)");
            let differences = caught(|| (self.run)(&file, case));
            let listed = pending.contains(name);
            match (differences.is_empty(), listed) {
                (true, false) => passed += 1,
                (true, true) => {
                    passed += 1;
                    right = false;
                    println!("{name}: passes; take it off pending-{}.txt", self.name);
                }
                (false, true) => println!("{name}: pending"),
                (false, false) => {
                    right = false;
                    println!("{name}: FAILED");
                    differences.iter().for_each(|line| println!("    {line}"));
                }
            }
        }
        (self.end)();
        println!("{}: {passed} of {}", self.name, cases.len());
        right
    }
}

/// A panic is a failed case, not the end of the run.
fn caught(run: impl FnOnce() -> Differences) -> Differences {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        vec![format!("panicked: {}", text.unwrap_or("?"))]
    })
}
