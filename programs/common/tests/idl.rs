//! Every instruction of every program takes the accounts that its IDL states: names, order, signer, writable, optional,
//! address.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)] // a test that panics fails

use gtx_common::accounts::{Described, Meta};
use serde_json::Value;

fn idl(file: &str) -> Value {
    serde_json::from_str(file).unwrap()
}

/// An account as the IDL states it.
struct Stated {
    name: String,
    signer: bool,
    writable: bool,
    optional: bool,
    address: Option<String>,
}

fn stated(account: &Value) -> Stated {
    let flag = |name: &str| account[name].as_bool().unwrap_or(false);
    Stated {
        name: account["name"].as_str().unwrap().into(),
        signer: flag("signer"),
        writable: flag("writable"),
        optional: flag("optional"),
        address: account["address"].as_str().map(Into::into),
    }
}

fn agree(meta: &Meta, stated: &Stated) -> bool {
    meta.name == stated.name
        && meta.signer == stated.signer
        && meta.writable == stated.writable
        && meta.optional == stated.optional
        && meta.address.as_ref().map(ToString::to_string) == stated.address
}

/// Returns the differences between a program and its IDL, one instruction a line.
fn differences(program: &[Described], idl: &Value) -> Vec<String> {
    let instructions = idl["instructions"].as_array().unwrap();
    let mut found = Vec::new();
    for item in instructions {
        let name = item["name"].as_str().unwrap();
        let accounts: Vec<Stated> = item["accounts"].as_array().unwrap().iter().map(stated).collect();
        match program.iter().find(|(own, _)| *own == name) {
            None => found.push(format!("{name}: not in the program")),
            Some((_, metas)) if metas.len() != accounts.len() => {
                found.push(format!("{name}: {} accounts, the IDL has {}", metas.len(), accounts.len()));
            }
            Some((_, metas)) => {
                for (meta, stated) in metas.iter().zip(&accounts).filter(|(meta, stated)| !agree(meta, stated)) {
                    found.push(format!("{name}: {} differs from {}", meta.name, stated.name));
                }
            }
        }
    }
    let is_stated = |name: &str| instructions.iter().any(|item| item["name"] == name);
    found
        .extend(program.iter().filter(|(name, _)| !is_stated(name)).map(|(name, _)| format!("{name}: not in the IDL")));
    found
}

const REGISTRY: &str = include_str!("../../idl/registry.json");

#[test]
fn registry() {
    assert_eq!(differences(registry::INSTRUCTIONS, &idl(REGISTRY)), [""; 0]);
}

#[test]
fn oracle() {
    assert_eq!(differences(oracle::INSTRUCTIONS, &idl(include_str!("../../idl/oracle.json"))), [""; 0]);
}

#[test]
fn energy_token() {
    assert_eq!(differences(energy_token::INSTRUCTIONS, &idl(include_str!("../../idl/energy_token.json"))), [""; 0]);
}

/// Changes the accounts of create_zone in the IDL and returns the differences.
fn after(change: fn(&mut Vec<Value>)) -> Vec<String> {
    let mut file = idl(REGISTRY);
    let zone =
        file["instructions"].as_array_mut().unwrap().iter_mut().find(|item| item["name"] == "create_zone").unwrap();
    change(zone["accounts"].as_array_mut().unwrap());
    differences(registry::INSTRUCTIONS, &file)
}

#[test]
fn control_every_kind_of_difference_is_found() {
    assert_eq!(
        after(|list| list.swap(0, 1)),
        ["create_zone: authority differs from payer", "create_zone: payer differs from authority"]
    );
    assert_eq!(after(|list| list[0]["name"] = "boss".into()), ["create_zone: authority differs from boss"]);
    assert_eq!(after(|list| list[0]["signer"] = false.into()), ["create_zone: authority differs from authority"]);
    assert_eq!(after(|list| list[2]["writable"] = true.into()), ["create_zone: config differs from config"]);
    assert_eq!(after(|list| list[2]["optional"] = true.into()), ["create_zone: config differs from config"]);
    assert_eq!(
        after(|list| list[4]["address"] = "x".into()),
        ["create_zone: system_program differs from system_program"]
    );
    assert_eq!(after(|list| list.truncate(4)), ["create_zone: 5 accounts, the IDL has 4"]);
}

#[test]
fn control_a_missing_instruction_is_found_on_either_side() {
    let file = idl(REGISTRY);
    let more: Vec<Described> = registry::INSTRUCTIONS.iter().copied().chain([("close_zone", &[] as &[Meta])]).collect();
    assert_eq!(differences(&more, &file), ["close_zone: not in the IDL"]);
    assert_eq!(differences(&registry::INSTRUCTIONS[1..], &file), ["initialize: not in the program"]);
}
