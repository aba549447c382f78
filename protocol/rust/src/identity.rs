//! Identities that reveal nothing without their salt [wire §2].

use crate::Sha256;

fn first<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    let mut out = [0; N];
    for (target, byte) in out.iter_mut().zip(hash) {
        *target = byte;
    }
    out
}

/// Returns the meter_id of a salt and the nameplate's texts. The caller passes UTF-8 in NFC, trimmed.
pub fn meter_id(sha: &impl Sha256, salt: &[u8; 16], manufacturer: &str, model: &str, serial: &str) -> [u8; 16] {
    first(sha.hash(&[
        b"gridtokenx/meter/1\0",
        salt,
        manufacturer.as_bytes(),
        &[0],
        model.as_bytes(),
        &[0],
        serial.as_bytes(),
    ]))
}

/// Returns the meter_id of a connection point that is derived from a production and a consumption meter.
pub fn point_id(sha: &impl Sha256, production: &[u8; 16], consumption: &[u8; 16]) -> [u8; 16] {
    first(sha.hash(&[b"gridtokenx/point/1\0", production, consumption]))
}

/// Returns the network_id. It binds a signature to one deployment: elsewhere the signature is worthless.
pub fn network_id(sha: &impl Sha256, genesis_hash: &[u8; 32], oracle_program: &[u8; 32], salt: &[u8; 16]) -> [u8; 8] {
    first(sha.hash(&[genesis_hash, oracle_program, salt]))
}
