//! Payload kind 3, an event.

use super::PAYLOAD_BYTES;
use crate::bytes::{get, put};

/// Kind 3: an event of a meter or its gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Unix milliseconds.
    pub time_ms: i64,
    /// The event's code [numbers §4].
    pub code: u16,
    /// See [`crate::quality`].
    pub quality: u16,
    /// Boot counter.
    pub boot_count: u32,
    /// Its meaning depends on the code.
    pub detail: u32,
    /// Its meaning depends on the code.
    pub value: u64,
    /// Its meaning depends on the code.
    pub data: [u8; 16],
    /// As in a reading.
    pub prev: [u8; 16],
}

impl Event {
    pub(super) fn parse(b: &[u8; PAYLOAD_BYTES]) -> Self {
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

    pub(super) fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) {
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
