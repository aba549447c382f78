//! The 96-byte payload in its four kinds.

mod enrolment;
mod event;
mod reading;
mod statement;

use crate::{
    WireError,
    bytes::{get, put},
};

pub use enrolment::Enrolment;
pub use event::Event;
pub use reading::Reading;
pub use statement::Statement;

/// Bytes of every payload.
pub const PAYLOAD_BYTES: usize = 96;
/// First two bytes of every payload.
pub const MAGIC: [u8; 2] = [0x47, 0x58];
/// The only version.
pub const VERSION: u8 = 1;
/// Power that is not available.
pub const POWER_UNKNOWN: i32 = i32::MIN;
/// Voltage or frequency that is not available.
pub const U16_UNKNOWN: u16 = u16::MAX;
/// Time uncertainty that is not known.
pub const UNCERTAINTY_UNKNOWN: u32 = u32::MAX;

/// The fields with which every payload starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// First 8 bytes of SHA-256(genesis hash, oracle program, salt).
    pub network_id: [u8; 8],
    /// Names the meter without its serial number.
    pub meter_id: [u8; 16],
    /// From 1 for each key, and one higher for every payload of any kind.
    pub seq: u64,
}

/// The fields of a payload by its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// Kind 1.
    Reading(Reading),
    /// Kind 2.
    Statement(Statement),
    /// Kind 3.
    Event(Event),
    /// Kind 4.
    Enrolment(Enrolment),
}

/// A whole payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    /// Common to all kinds.
    pub header: Header,
    /// By kind.
    pub body: Body,
}

/// Reads the header and the kind. Malformed, UnknownVersion.
#[inline(always)]
pub fn parse_header(bytes: &[u8; PAYLOAD_BYTES]) -> Result<(Header, u8), WireError> {
    if get::<0, 2>(bytes) != MAGIC {
        return Err(WireError::Malformed);
    }
    let [version, kind] = get::<2, 2>(bytes);
    if version != VERSION {
        return Err(WireError::UnknownVersion);
    }
    let header = Header {
        network_id: get::<4, 8>(bytes),
        meter_id: get::<12, 16>(bytes),
        seq: u64::from_le_bytes(get::<28, 8>(bytes)),
    };
    if header.seq == 0 {
        return Err(WireError::Malformed); // seq starts at 1
    }
    Ok((header, kind))
}

impl Payload {
    /// Reads any payload and keeps unknown quality bits. Malformed, UnknownVersion, UnknownKind.
    pub fn parse(bytes: &[u8; PAYLOAD_BYTES]) -> Result<Self, WireError> {
        let (header, kind) = parse_header(bytes)?;
        let body = match kind {
            1 => Body::Reading(Reading::parse(bytes)),
            2 => Body::Statement(Statement::parse(bytes)),
            3 => Body::Event(Event::parse(bytes)),
            4 => Body::Enrolment(Enrolment::parse(bytes)?),
            _ => return Err(WireError::UnknownKind),
        };
        Ok(Self { header, body })
    }

    /// Returns the 96 bytes. Malformed when a field is outside its range.
    pub fn encode(&self) -> Result<[u8; PAYLOAD_BYTES], WireError> {
        if self.header.seq == 0 {
            return Err(WireError::Malformed);
        }
        let mut out = [0; PAYLOAD_BYTES];
        put::<0, 2>(&mut out, MAGIC);
        let kind = match &self.body {
            Body::Reading(body) => {
                body.write(&mut out);
                1
            }
            Body::Statement(body) => {
                body.write(&mut out);
                2
            }
            Body::Event(body) => {
                body.write(&mut out);
                3
            }
            Body::Enrolment(body) => {
                body.write(&mut out)?;
                4
            }
        };
        put::<2, 2>(&mut out, [VERSION, kind]);
        put::<4, 8>(&mut out, self.header.network_id);
        put::<12, 16>(&mut out, self.header.meter_id);
        put::<28, 8>(&mut out, self.header.seq.to_le_bytes());
        Ok(out)
    }
}
