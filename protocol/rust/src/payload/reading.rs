//! Payload kind 1, a reading.

use super::PAYLOAD_BYTES;
use crate::bytes::{get, put};

/// Kind 1: one read of the registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// The arrival of the reply's last byte, unix milliseconds.
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

impl Reading {
    pub(super) fn parse(b: &[u8; PAYLOAD_BYTES]) -> Self {
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

    pub(super) fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) {
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
