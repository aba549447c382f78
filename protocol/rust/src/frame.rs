//! The signed frame: a COSE_Sign1 (RFC 9052) in which only payload and signature vary [wire §3].

use crate::{WireError, payload::PAYLOAD_BYTES};

/// Bytes of a whole message.
pub const SIGN1_BYTES: usize = 171;
/// Bytes that are signed.
pub const SIGNED_BYTES: usize = 115;
/// The signed bytes before the payload: array of 4, "Signature1", protected header, empty external_aad, 96 bytes.
pub const SIG_PREFIX: [u8; 19] =
    [0x84, 0x6A, b'S', b'i', b'g', b'n', b'a', b't', b'u', b'r', b'e', b'1', 0x43, 0xA1, 0x01, 0x27, 0x40, 0x58, 0x60];
/// Tag 18, array of 4, protected header {1: -8}, empty unprotected header, 96 bytes.
const HEAD: [u8; 9] = [0xD2, 0x84, 0x43, 0xA1, 0x01, 0x27, 0xA0, 0x58, 0x60];
/// A byte string of 64.
const MIDDLE: [u8; 2] = [0x58, 0x40];

/// A message in its parts. Nothing is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sign1<'a> {
    /// 96 bytes.
    pub payload: &'a [u8; PAYLOAD_BYTES],
    /// 64 bytes.
    pub signature: &'a [u8; 64],
}

/// Splits a message into its parts. Malformed for anything but the one layout.
pub fn parse(message: &[u8]) -> Result<Sign1<'_>, WireError> {
    let (head, rest) = message.split_first_chunk::<9>().ok_or(WireError::Malformed)?;
    let (payload, rest) = rest.split_first_chunk::<PAYLOAD_BYTES>().ok_or(WireError::Malformed)?;
    let (middle, rest) = rest.split_first_chunk::<2>().ok_or(WireError::Malformed)?;
    let signature: &[u8; 64] = rest.try_into().map_err(|_| WireError::Malformed)?;
    if *head != HEAD || *middle != MIDDLE {
        return Err(WireError::Malformed);
    }
    Ok(Sign1 { payload, signature })
}

/// Bounds the messages of one packet.
pub const MAX_SEQUENCE: usize = 200;

/// Splits a packet (CBOR sequence of n messages, 1 ≤ n ≤ 200) into its messages. Malformed as a whole for any other length. The
/// caller judges each message by itself.
pub fn split(packet: &[u8]) -> Result<&[[u8; SIGN1_BYTES]], WireError> {
    let (messages, rest) = packet.as_chunks::<SIGN1_BYTES>();
    if messages.is_empty() || messages.len() > MAX_SEQUENCE || !rest.is_empty() {
        return Err(WireError::Malformed);
    }
    Ok(messages)
}

/// Builds a message from its parts.
pub fn encode(payload: &[u8; PAYLOAD_BYTES], signature: &[u8; 64]) -> [u8; SIGN1_BYTES] {
    let mut out = [0; SIGN1_BYTES];
    let parts = HEAD.iter().chain(payload).chain(&MIDDLE).chain(signature);
    for (target, byte) in out.iter_mut().zip(parts) {
        *target = *byte;
    }
    out
}

/// Returns the 115 bytes to sign.
pub fn signed_bytes(payload: &[u8; PAYLOAD_BYTES]) -> [u8; SIGNED_BYTES] {
    let mut out = [0; SIGNED_BYTES];
    for (target, byte) in out.iter_mut().zip(SIG_PREFIX.iter().chain(payload)) {
        *target = *byte;
    }
    out
}

/// Returns the payload in signed bytes. Malformed when they do not start with the prefix.
pub fn payload_of(signed: &[u8; SIGNED_BYTES]) -> Result<&[u8; PAYLOAD_BYTES], WireError> {
    let (prefix, payload) = signed.split_first_chunk::<19>().ok_or(WireError::Malformed)?;
    if *prefix != SIG_PREFIX {
        return Err(WireError::Malformed);
    }
    payload.try_into().map_err(|_| WireError::Malformed)
}
