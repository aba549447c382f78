//! The limits that the utility confirms for a meter, and their sum, which the zone's capacity bounds [chain §7.10].

use gtx_common::{
    GtxError,
    args::Args,
    caps::{MAX_REGISTER_STEP_WH, MAX_TARIFF_CLASS, reserved_w, slot_cap},
    layout::registry::{Meter, Zone},
};
use pinocchio::{ProgramResult, error::ProgramError};

/// Values that the utility confirms for a meter: limits in W, register step in Wh, tariff class. `device_signed` is true if it
/// accepts a device's own signature.
pub struct Limits {
    pub export_w: u32,
    pub import_w: u32,
    pub register_step_wh: u32,
    pub tariff_class: u16,
    pub device_signed: bool,
}

impl Limits {
    /// Reads the limits. LimitOutOfRange for values that a slot, a tariff or a zone could not hold later.
    pub fn parse(args: &mut Args) -> Result<Self, ProgramError> {
        let limits = Self {
            export_w: args.u32()?,
            import_w: args.u32()?,
            register_step_wh: args.u32()?,
            tariff_class: args.u16()?,
            device_signed: args.bool()?,
        };
        if limits.register_step_wh > MAX_REGISTER_STEP_WH || limits.tariff_class > MAX_TARIFF_CLASS {
            return Err(GtxError::LimitOutOfRange.into());
        }
        slot_cap(limits.export_w, limits.register_step_wh)?;
        slot_cap(limits.import_w, limits.register_step_wh)?;
        Ok(limits)
    }

    /// Writes the limits into the record. MalformedMessage when the utility accepts a device's signature that the device never claimed.
    pub fn write(&self, meter: &mut Meter) -> ProgramResult {
        if self.device_signed && meter.signer_level != 1 {
            return Err(GtxError::MalformedMessage.into());
        }
        meter.export_limit_w = self.export_w;
        meter.import_limit_w = self.import_w;
        meter.register_step_wh = self.register_step_wh;
        meter.tariff_class = self.tariff_class;
        meter.signer_level = u8::from(self.device_signed);
        Ok(())
    }
}

/// Reserves the meter's part of the zone's capacity. CapacityExceeded when too little is free.
pub fn take_capacity(zone: &mut Zone, meter: &Meter) -> ProgramResult {
    let sum = zone.confirmed_export_w.saturating_add(reserved_w(meter.export_limit_w, meter.register_step_wh));
    if sum > zone.capacity_w {
        return Err(GtxError::CapacityExceeded.into());
    }
    zone.confirmed_export_w = sum;
    Ok(())
}

/// Returns the meter's part to the zone.
pub fn give_capacity_back(zone: &mut Zone, meter: &Meter) {
    let reserved = reserved_w(meter.export_limit_w, meter.register_step_wh);
    zone.confirmed_export_w = zone.confirmed_export_w.saturating_sub(reserved);
}
