//! Gathers the schemas, so that a new one is a file under `schemas/` and nothing else.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn gather(
    folder: &Path,
    prefix: &str,
    list: &mut Vec<(String, String)>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(stem) = path.file_stem().and_then(|s| s.to_str()) else {
            continue;
        };
        let name = format!("{prefix}{stem}");
        if path.is_dir() {
            gather(&path, &format!("{name}/"), list)?;
        } else if path.extension().is_some_and(|e| e == "json") {
            list.push((name, path.display().to_string()));
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=schemas");
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let mut list = Vec::new();
    gather(&Path::new(&root).join("schemas"), "", &mut list)?;
    list.sort();
    let mut text = String::from("&[\n");
    for (name, path) in list {
        writeln!(text, "    ({name:?}, include_str!({path:?})),")?;
    }
    text.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("schemas.rs"), text)?;
    Ok(())
}
