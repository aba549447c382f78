//! Turns the program ids into constants: `programs/ids.json` (development), or the file that GTX_PROGRAM_IDS names.
#![allow(clippy::expect_used, clippy::arithmetic_side_effects)] // a build script that panics stops the build

use std::{env, fs, path::Path};

/// Returns the text value of `name` in a flat JSON object of strings.
fn value<'a>(json: &'a str, name: &str) -> &'a str {
    let quoted = format!("\"{name}\"");
    let after = &json[json.find(&quoted).unwrap_or_else(|| panic!("no {name} in the program ids")) + quoted.len()..];
    let mut parts = after.split('"');
    assert_eq!(parts.next().map(str::trim), Some(":"), "{name} must be a string");
    parts.next().expect("a value in quotes")
}

fn main() {
    println!("cargo::rerun-if-env-changed=GTX_PROGRAM_IDS");
    let default = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../ids.json");
    let path = env::var("GTX_PROGRAM_IDS").map_or(default, Into::into);
    println!("cargo::rerun-if-changed={}", path.display());
    let json = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut source = String::new();
    for (constant, name) in [
        ("REGISTRY", "registry"),
        ("ORACLE", "oracle"),
        ("ENERGY_TOKEN", "energyToken"),
        ("TRADING", "trading"),
        ("GOVERNANCE", "governance"),
    ] {
        let id = value(&json, name);
        source +=
            &format!("/// The {name} program.\npub const {constant}: Address = Address::from_str_const(\"{id}\");\n");
    }
    fs::write(Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("ids.rs"), source)
        .expect("OUT_DIR is writable");
}
