//! The documents of the demo, part of the binary so that it works alone.

use std::io::Cursor;

use crate::cli::exit::{Exit, Failure};
use crate::store::Store;

const FILES: &[(&str, &str)] = &[
    ("acme.jsonl", include_str!("../../../conf/demo/acme.jsonl")),
    (
        "globex.jsonl",
        include_str!("../../../conf/demo/globex.jsonl"),
    ),
];

/// A temporary store that holds them.
pub fn store() -> Result<Store, Failure> {
    let store = Store::temporary()?;
    for (name, text) in FILES {
        let report = store.import(&mut Cursor::new(text), false)?;
        if let Some(problem) = report.problems.first() {
            let message = format!(
                "conf/demo/{name}:{}: {}: {}",
                problem.line, problem.field, problem.expected
            );
            return Err(Failure::new(Exit::Software, message));
        }
    }
    Ok(store)
}
