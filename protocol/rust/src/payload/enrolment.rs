//! Payload kind 4, an enrolment.

use super::PAYLOAD_BYTES;
use crate::{
    WireError,
    bytes::{get, put},
};

/// Kind 4: proof that the device holds the enrolled key.
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
    /// True when the device's own firmware signs, false when a gateway signs.
    pub device_signed: bool,
    /// Epoch of the key.
    pub key_epoch: u32,
    /// Window of the commissioning.
    pub window: u32,
}

impl Enrolment {
    /// Reads the fields. Malformed when source, role or an unused bit is outside its range.
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

    pub(super) fn write(&self, out: &mut [u8; PAYLOAD_BYTES]) -> Result<(), WireError> {
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
