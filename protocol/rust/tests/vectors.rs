//! The golden vectors that every reader of the wire format runs (protocol/vectors).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, missing_docs)]

use gtx_wire::{
    Sha256, WireError,
    frame::{self, SIG_PREFIX, SIGN1_BYTES, SIGNED_BYTES},
    identity, keys, merkle,
    payload::{Body, Enrolment, Event, Header, PAYLOAD_BYTES, Payload, Reading, Statement},
    reason,
};
use serde_json::Value;
use sha2::Digest;
use unicode_normalization::UnicodeNormalization;

struct Host;
impl Sha256 for Host {
    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = sha2::Sha256::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().into()
    }
}

fn vectors(file: &str, list: &str) -> Vec<Value> {
    let path = format!("{}/../vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = json[list].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{file}.{list} is empty");
    cases
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn unhex(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    unhex(text(case, field))
}

fn array<const N: usize>(case: &Value, field: &str) -> [u8; N] {
    bytes(case, field).try_into().unwrap()
}

fn number<T: std::str::FromStr>(case: &Value, field: &str) -> T {
    text(case, field).parse().unwrap_or_else(|_| panic!("{field} of {case}"))
}

fn body(f: &Value) -> Body {
    match text(f, "kind") {
        "1" => Body::Reading(Reading {
            time_ms: number(f, "time_ms"),
            import_wh: number(f, "import_wh"),
            export_wh: number(f, "export_wh"),
            power_w: number(f, "power_w"),
            voltage_dv: number(f, "voltage"),
            frequency_chz: number(f, "frequency"),
            time_uncertainty_ms: number(f, "time_uncertainty_ms"),
            quality: number(f, "quality"),
            boot_count: number(f, "boot_count"),
            raw: array(f, "raw"),
            prev: array(f, "prev"),
        }),
        "2" => Body::Statement(Statement {
            window: number(f, "window"),
            import_wh: number(f, "import_wh"),
            export_wh: number(f, "export_wh"),
            reading_count: number(f, "reading_count"),
            quality: number(f, "quality"),
            time_uncertainty_ms: number(f, "time_uncertainty_ms"),
            readings_root: array(f, "readings_root"),
        }),
        "3" => Body::Event(Event {
            time_ms: number(f, "time_ms"),
            code: number(f, "code"),
            quality: number(f, "quality"),
            boot_count: number(f, "boot_count"),
            detail: number(f, "detail"),
            value: number(f, "value"),
            data: array(f, "data"),
            prev: array(f, "prev"),
        }),
        "4" => {
            let bits: u8 = number(f, "role_bits");
            Body::Enrolment(Enrolment {
                owner: array(f, "owner"),
                import_wh: number(f, "import_wh"),
                export_wh: number(f, "export_wh"),
                zone: number(f, "zone"),
                source: number(f, "source"),
                role: bits & 3,
                device_signed: bits & 4 != 0,
                key_epoch: number(f, "key_epoch"),
                window: number(f, "window"),
            })
        }
        other => panic!("kind {other}"),
    }
}

#[test]
fn payloads_in_both_directions() {
    for case in vectors("payloads", "cases") {
        let fields = &case["fields"];
        let expected = Payload {
            header: Header {
                network_id: array(fields, "network_id"),
                meter_id: array(fields, "meter_id"),
                seq: number(fields, "seq"),
            },
            body: body(fields),
        };
        let golden: [u8; PAYLOAD_BYTES] = array(&case, "bytes");
        assert_eq!(Payload::parse(&golden), Ok(expected), "{}", case["name"]);
        assert_eq!(expected.encode(), Ok(golden), "{}", case["name"]);
    }
}

#[test]
fn messages_in_both_directions() {
    for case in vectors("messages", "cases") {
        let message = bytes(&case, "message");
        let (payload, signature): ([u8; PAYLOAD_BYTES], [u8; 64]) =
            (array(&case, "payload"), array(&case, "signature"));
        let parsed = frame::parse(&message).unwrap();
        assert_eq!((*parsed.payload, *parsed.signature), (payload, signature));
        assert_eq!(frame::encode(&payload, &signature).to_vec(), message);
        let signed: [u8; SIGNED_BYTES] = array(&case, "sig_structure");
        assert_eq!(frame::signed_bytes(&payload), signed);
        assert_eq!(frame::payload_of(&signed), Ok(&payload));
        for place in 0..SIG_PREFIX.len() {
            let mut other = signed;
            other[place] ^= 1;
            assert_eq!(frame::payload_of(&other), Err(WireError::Malformed));
        }
    }
}

#[test]
fn malformed_bytes_are_refused_with_their_reason() {
    for case in vectors("malformed", "cases") {
        let data = bytes(&case, "bytes");
        let error = match text(&case, "what") {
            "payload" => match <[u8; PAYLOAD_BYTES]>::try_from(data) {
                Ok(payload) => Payload::parse(&payload).err(),
                Err(_) => Some(WireError::Malformed), // 96 bytes by type
            },
            "message" => frame::parse(&data).err(),
            "packet" => frame::split(&data).err(),
            other => panic!("{other}"),
        };
        assert_eq!(error.map(|error| u64::from(error.reason())), case["reason"].as_u64(), "{}", case["name"]);
    }
}

#[test]
fn every_changed_byte_of_a_frame_outside_payload_and_signature_is_refused() {
    let message: [u8; SIGN1_BYTES] = array(&vectors("messages", "cases")[0], "message");
    for place in (0..9).chain(105..107) {
        for bit in 0..8 {
            let mut other = message;
            other[place] ^= 1 << bit;
            assert_eq!(frame::parse(&other), Err(WireError::Malformed), "byte {place} bit {bit}");
        }
    }
    for length in 0..SIGN1_BYTES {
        assert_eq!(frame::parse(&message[..length]), Err(WireError::Malformed));
    }
}

#[test]
fn sequences() {
    for case in vectors("sequences", "cases") {
        let packet = bytes(&case, "packet");
        let messages: Vec<Vec<u8>> =
            case["messages"].as_array().unwrap().iter().map(|m| unhex(m.as_str().unwrap())).collect();
        let split: Vec<Vec<u8>> = frame::split(&packet).unwrap().iter().map(|m| m.to_vec()).collect();
        assert_eq!(split, messages, "{}", case["name"]);
    }
}

#[test]
fn merkle_roots() {
    for case in vectors("merkle", "cases") {
        let mut tree = merkle::Builder::<_, 8>::new(&Host);
        for leaf in case["leaves"].as_array().unwrap() {
            assert!(tree.push(&unhex(leaf.as_str().unwrap())));
        }
        assert_eq!(tree.root().to_vec(), bytes(&case, "root"), "{}", case["name"]);
    }
    let mut small = merkle::Builder::<_, 2>::new(&Host);
    assert_eq!([0, 1, 2, 3].map(|leaf| small.push(&[leaf])), [true, true, true, false]);
}

#[test]
fn identities() {
    let nameplate = |case: &Value, field: &str| text(case, field).trim().nfc().collect::<String>();
    for case in vectors("identities", "meter_ids") {
        let [manufacturer, model, serial] = ["manufacturer", "model", "serial"].map(|field| nameplate(&case, field));
        let id = identity::meter_id(&Host, &array(&case, "salt"), &manufacturer, &model, &serial);
        assert_eq!(id.to_vec(), bytes(&case, "meter_id"), "{}", case["name"]);
    }
    for case in vectors("identities", "point_ids") {
        let id = identity::point_id(&Host, &array(&case, "production_id"), &array(&case, "consumption_id"));
        assert_eq!(id.to_vec(), bytes(&case, "point_id"));
    }
    for case in vectors("identities", "network_ids") {
        let id = identity::network_id(
            &Host,
            &array(&case, "genesis_hash"),
            &array(&case, "oracle_program"),
            &array(&case, "salt"),
        );
        assert_eq!(id.to_vec(), bytes(&case, "network_id"));
    }
}

#[test]
fn reasons() {
    let expected: Vec<(u16, String)> = vectors("reasons", "reasons")
        .iter()
        .map(|reason| (reason["number"].as_u64().unwrap() as u16, text(reason, "name").to_owned()))
        .collect();
    let ours: Vec<(u16, String)> = reason::ALL.iter().map(|(number, name)| (*number, (*name).to_owned())).collect();
    assert_eq!(ours, expected);
}

#[test]
fn keys_of_small_order() {
    let (mut small, mut large) = (0, 0);
    for case in vectors("verify", "cases") {
        let name = text(&case, "name");
        let expected = name.contains("key of small order")
            || name.contains("small-order key")
            || name.contains("as key")
            || name.contains("identity key")
            || name == "key encoded above p";
        assert_eq!(keys::is_small_order(&array(&case, "publicKey")), expected, "{name}");
        if expected { small += 1 } else { large += 1 }
    }
    assert!(small >= 12 && large >= 12, "{small} {large}");
}

/// Verifies as the chain's Ed25519 precompile does: strict, cofactorless.
fn verifies(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

#[test]
fn signatures_are_judged_as_the_vectors_say() {
    let cases = vectors("verify", "cases");
    let mut valid = 0;
    for case in &cases {
        let expected = case["valid"].as_bool().unwrap();
        let found = verifies(&array(case, "publicKey"), &bytes(case, "message"), &array(case, "signature"));
        assert_eq!(found, expected, "{}", text(case, "name"));
        valid += usize::from(expected);
    }
    assert!(valid > 0 && valid < cases.len());
}

#[test]
fn signed_messages_of_the_vectors_verify_and_no_longer_when_a_bit_is_turned() {
    for case in vectors("messages", "cases") {
        let message = bytes(&case, "message");
        let parsed = frame::parse(&message).unwrap();
        let key = array(&case, "public_key");
        let signed = frame::signed_bytes(parsed.payload);
        assert!(verifies(&key, &signed, parsed.signature));
        for at in 0..64 {
            let mut signature = *parsed.signature;
            signature[at] ^= 1;
            assert!(!verifies(&key, &signed, &signature), "byte {at}");
        }
    }
}
