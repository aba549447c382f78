//! Payload kind 2, a window statement.

use super::PAYLOAD_BYTES;
use crate::bytes::{get, put};

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
    /// OR of the quality bits in the window.
    pub quality: u16,
    /// The greatest uncertainty in the window, milliseconds.
    pub time_uncertainty_ms: u32,
    /// RFC 6962 root over the payloads of the readings since the previous statement.
    pub readings_root: [u8; 32],
}

impl Statement {
    /// Reads the fields. Every value is legal; unknown quality bits are kept.
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

    pub(super) fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) {
        put::<36, 4>(out, self.window.to_le_bytes());
        put::<40, 8>(out, self.import_wh.to_le_bytes());
        put::<48, 8>(out, self.export_wh.to_le_bytes());
        put::<56, 2>(out, self.reading_count.to_le_bytes());
        put::<58, 2>(out, self.quality.to_le_bytes());
        put::<60, 4>(out, self.time_uncertainty_ms.to_le_bytes());
        put::<64, 32>(out, self.readings_root);
    }
}
