//! The 96-byte payload in its four kinds.

use crate::{
    WireError,
    bytes::{get, put},
};

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

/// What every payload starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// First 8 bytes of SHA-256(genesis hash, oracle program, salt).
    pub network_id: [u8; 8],
    /// Names the meter without its serial number.
    pub meter_id: [u8; 16],
    /// From 1 for each key, one more for every payload of any kind.
    pub seq: u64,
}

/// Kind 1: one read of the registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// When the reply's last byte arrived, unix milliseconds.
    pub time_ms: i64,
    /// Wh.
    pub import_wh: u64,
    /// Wh.
    pub export_wh: u64,
    /// W, import positive.
    pub power_w: i32,
    /// 0.1 V.
    pub voltage_dv: u16,
    /// 0.01 Hz.
    pub frequency_chz: u16,
    /// Milliseconds.
    pub time_uncertainty_ms: u32,
    /// See [`crate::quality`].
    pub quality: u16,
    /// Low bits of the boot counter.
    pub boot_count: u16,
    /// First 4 bytes of SHA-256 of the raw reply frames.
    pub raw: [u8; 4],
    /// First 16 bytes of SHA-256 of this key's previous payload of kind 1 or 3.
    pub prev: [u8; 16],
}

/// Kind 2: the registers at a window's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Number of the window.
    pub window: u32,
    /// Wh: the last good register at or before the window's end.
    pub import_wh: u64,
    /// Wh.
    pub export_wh: u64,
    /// Leaves under `readings_root`; 65,535 = that many or more.
    pub reading_count: u16,
    /// OR over the window.
    pub quality: u16,
    /// The worst in the window, milliseconds.
    pub time_uncertainty_ms: u32,
    /// RFC 6962 root over the payloads of the readings since the previous statement.
    pub readings_root: [u8; 32],
}

/// Kind 3: something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Unix milliseconds.
    pub time_ms: i64,
    /// What happened.
    pub code: u16,
    /// See [`crate::quality`].
    pub quality: u16,
    /// Boot counter.
    pub boot_count: u32,
    /// By code.
    pub detail: u32,
    /// By code.
    pub value: u64,
    /// By code.
    pub data: [u8; 16],
    /// As in a reading.
    pub prev: [u8; 16],
}

/// Kind 4: proof that the device holds the key that is enrolled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enrolment {
    /// Owner's wallet.
    pub owner: [u8; 32],
    /// Wh at commissioning.
    pub import_wh: u64,
    /// Wh at commissioning.
    pub export_wh: u64,
    /// Zone.
    pub zone: u16,
    /// 0 none, 1 solar, 2 wind, 3 storage, 4 hybrid, 5 other.
    pub source: u8,
    /// 0 point, 1 production, 2 consumption.
    pub role: u8,
    /// The device's own firmware signs, not a gateway.
    pub device_signed: bool,
    /// Epoch of the key.
    pub key_epoch: u32,
    /// Window of the commissioning.
    pub window: u32,
}

/// What a payload says.
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
    /// Reads any payload. Malformed, UnknownVersion, UnknownKind. Unknown quality bits are kept.
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

    /// The 96 bytes. Malformed when a field is outside its range.
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

impl Reading {
    fn parse(b: &[u8; PAYLOAD_BYTES]) -> Self {
        Self {
            time_ms: i64::from_le_bytes(get::<36, 8>(b)),
            import_wh: u64::from_le_bytes(get::<44, 8>(b)),
            export_wh: u64::from_le_bytes(get::<52, 8>(b)),
            power_w: i32::from_le_bytes(get::<60, 4>(b)),
            voltage_dv: u16::from_le_bytes(get::<64, 2>(b)),
            frequency_chz: u16::from_le_bytes(get::<66, 2>(b)),
            time_uncertainty_ms: u32::from_le_bytes(get::<68, 4>(b)),
            quality: u16::from_le_bytes(get::<72, 2>(b)),
            boot_count: u16::from_le_bytes(get::<74, 2>(b)),
            raw: get::<76, 4>(b),
            prev: get::<80, 16>(b),
        }
    }

    fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) {
        put::<36, 8>(out, self.time_ms.to_le_bytes());
        put::<44, 8>(out, self.import_wh.to_le_bytes());
        put::<52, 8>(out, self.export_wh.to_le_bytes());
        put::<60, 4>(out, self.power_w.to_le_bytes());
        put::<64, 2>(out, self.voltage_dv.to_le_bytes());
        put::<66, 2>(out, self.frequency_chz.to_le_bytes());
        put::<68, 4>(out, self.time_uncertainty_ms.to_le_bytes());
        put::<72, 2>(out, self.quality.to_le_bytes());
        put::<74, 2>(out, self.boot_count.to_le_bytes());
        put::<76, 4>(out, self.raw);
        put::<80, 16>(out, self.prev);
    }
}

impl Statement {
    /// Reads the fields; every value is legal, unknown quality bits are kept.
    #[inline(always)]
    pub fn parse(b: &[u8; PAYLOAD_BYTES]) -> Self {
        Self {
            window: u32::from_le_bytes(get::<36, 4>(b)),
            import_wh: u64::from_le_bytes(get::<40, 8>(b)),
            export_wh: u64::from_le_bytes(get::<48, 8>(b)),
            reading_count: u16::from_le_bytes(get::<56, 2>(b)),
            quality: u16::from_le_bytes(get::<58, 2>(b)),
            time_uncertainty_ms: u32::from_le_bytes(get::<60, 4>(b)),
            readings_root: get::<64, 32>(b),
        }
    }

    fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) {
        put::<36, 4>(out, self.window.to_le_bytes());
        put::<40, 8>(out, self.import_wh.to_le_bytes());
        put::<48, 8>(out, self.export_wh.to_le_bytes());
        put::<56, 2>(out, self.reading_count.to_le_bytes());
        put::<58, 2>(out, self.quality.to_le_bytes());
        put::<60, 4>(out, self.time_uncertainty_ms.to_le_bytes());
        put::<64, 32>(out, self.readings_root);
    }
}

impl Event {
    fn parse(b: &[u8; PAYLOAD_BYTES]) -> Self {
        Self {
            time_ms: i64::from_le_bytes(get::<36, 8>(b)),
            code: u16::from_le_bytes(get::<44, 2>(b)),
            quality: u16::from_le_bytes(get::<46, 2>(b)),
            boot_count: u32::from_le_bytes(get::<48, 4>(b)),
            detail: u32::from_le_bytes(get::<52, 4>(b)),
            value: u64::from_le_bytes(get::<56, 8>(b)),
            data: get::<64, 16>(b),
            prev: get::<80, 16>(b),
        }
    }

    fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) {
        put::<36, 8>(out, self.time_ms.to_le_bytes());
        put::<44, 2>(out, self.code.to_le_bytes());
        put::<46, 2>(out, self.quality.to_le_bytes());
        put::<48, 4>(out, self.boot_count.to_le_bytes());
        put::<52, 4>(out, self.detail.to_le_bytes());
        put::<56, 8>(out, self.value.to_le_bytes());
        put::<64, 16>(out, self.data);
        put::<80, 16>(out, self.prev);
    }
}

impl Enrolment {
    /// Malformed when source, role or an unused bit is outside its range.
    pub fn parse(b: &[u8; PAYLOAD_BYTES]) -> Result<Self, WireError> {
        let [source, bits] = get::<86, 2>(b);
        let role = bits & 3;
        if source > 5 || role > 2 || bits > 7 {
            return Err(WireError::Malformed);
        }
        Ok(Self {
            owner: get::<36, 32>(b),
            import_wh: u64::from_le_bytes(get::<68, 8>(b)),
            export_wh: u64::from_le_bytes(get::<76, 8>(b)),
            zone: u16::from_le_bytes(get::<84, 2>(b)),
            source,
            role,
            device_signed: bits & 4 != 0,
            key_epoch: u32::from_le_bytes(get::<88, 4>(b)),
            window: u32::from_le_bytes(get::<92, 4>(b)),
        })
    }

    fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) -> Result<(), WireError> {
        if self.source > 5 || self.role > 2 {
            return Err(WireError::Malformed);
        }
        put::<36, 32>(out, self.owner);
        put::<68, 8>(out, self.import_wh.to_le_bytes());
        put::<76, 8>(out, self.export_wh.to_le_bytes());
        put::<84, 2>(out, self.zone.to_le_bytes());
        put::<86, 2>(out, [self.source, self.role | u8::from(self.device_signed) << 2]);
        put::<88, 4>(out, self.key_epoch.to_le_bytes());
        put::<92, 4>(out, self.window.to_le_bytes());
        Ok(())
    }
}
