//! Accounts of the registry.

use bytemuck::{Pod, Zeroable};

use super::account;
use crate::{Wh, Window};

/// ["config"]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Config {
    pub discriminator: u64,
    /// The account that administers the registry.
    pub authority: [u8; 32],
    /// Kept for propose_authority; zero.
    pub pending_authority: [u8; 32],
    /// Random bytes, part of `network_id`.
    pub salt: [u8; 16],
    /// First 8 bytes of SHA-256(genesis hash, oracle program id, salt).
    pub network_id: [u8; 8],
    /// Genesis hash of the cluster.
    pub genesis_hash: [u8; 32],
    /// Bump of this address.
    pub bump: u8,
    /// 1 on a development chain, else 0.
    pub development: u8,
    pub reserved: [u8; 70],
}
account!(Config, REGISTRY, 200);

pub const MAX_ATTESTORS: usize = 7;

/// ["zone", zone]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Zone {
    pub discriminator: u64,
    /// Number of the zone.
    pub zone: u16,
    /// Bump of this address.
    pub bump: u8,
    /// Keys in `attestors`.
    pub attestor_count: u8,
    /// Attestors that must sign.
    pub threshold: u8,
    /// Keys in `previous_attestors`.
    pub previous_count: u8,
    /// Threshold of the previous set.
    pub previous_threshold: u8,
    pub padding: u8,
    /// Count of attestor sets that were put in force.
    pub epoch: u32,
    /// The window (chain clock) in which the set came into force.
    pub changed_window: Window,
    /// Slots assigned.
    pub meter_count: u32,
    /// Pages with assigned slots.
    pub page_count: u32,
    /// Confirmed meters without a slot.
    pub evidence_count: u32,
    pub padding2: [u8; 4],
    /// Capacity of the feeder in W.
    pub capacity_w: u64,
    /// Wallet of the utility.
    pub utility: [u8; 32],
    /// The set in force; the order gives the bits of a signer bitmap.
    pub attestors: [[u8; 32]; MAX_ATTESTORS],
    /// The previous set.
    pub previous_attestors: [[u8; 32]; MAX_ATTESTORS],
    /// Export power of all meters that hold a slot, in W: limits and register steps. At most `capacity_w`.
    pub confirmed_export_w: u64,
    /// The window (chain clock) of the announcement; without meaning while `announced_count` is 0.
    pub announced_window: Window,
    /// 0: no set is announced.
    pub announced_count: u8,
    /// The threshold of the announced set.
    pub announced_threshold: u8,
    pub padding3: [u8; 2],
    /// The announced set.
    pub announced_attestors: [[u8; 32]; MAX_ATTESTORS],
    pub reserved: [u8; 64],
}
account!(Zone, REGISTRY, 832);

pub const ROLE_OWNER: u8 = 1;
pub const ROLE_INSTALLER: u8 = 2;
pub const ROLE_UTILITY_OPERATOR: u8 = 3;

pub const STATUS_ACTIVE: u8 = 1;
pub const STATUS_SUSPENDED: u8 = 2;
pub const STATUS_CLOSED: u8 = 3;
/// Of a meter: another record has its slot.
pub const STATUS_REPLACED: u8 = 4;
/// Of a meter: an installer has registered it, and the utility has not confirmed it. It has no slot and no limits.
pub const STATUS_PENDING: u8 = 5;

/// ["user", zone, wallet]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct User {
    pub discriminator: u64,
    /// The wallet that has the role.
    pub wallet: [u8; 32],
    /// Commitment to the identity record, which stays off chain.
    pub commitment: [u8; 32],
    /// The window (chain clock) of the registration.
    pub registered_window: Window,
    /// Number of the zone.
    pub zone: u16,
    /// ROLE_OWNER, ROLE_INSTALLER or ROLE_UTILITY_OPERATOR.
    pub role: u8,
    /// STATUS_ACTIVE or STATUS_SUSPENDED.
    pub status: u8,
    /// Bump of this address.
    pub bump: u8,
    pub reserved: [u8; 39],
}
account!(User, REGISTRY, 120);

/// ["point", zone, commitment]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Point {
    pub discriminator: u64,
    /// Commitment to the utility's account number.
    pub commitment: [u8; 32],
    /// The live meter of role point; zero when there is none.
    pub meter_id: [u8; 16],
    /// Number of the zone.
    pub zone: u16,
    /// Bump of this address.
    pub bump: u8,
    pub padding: u8,
    /// Energy up to this window's end is counted, by meters that left the point. The next meter's energy begins after it.
    pub counted_window: Window,
    pub reserved: [u8; 32],
}
account!(Point, REGISTRY, 96);

pub const NO_PAGE: u32 = u32::MAX;
pub const NO_SLOT: u16 = u16::MAX;
pub const ALG_ED25519: u8 = 1;

/// ["meter", zone, meter_id]; total = carried + raw − baseline
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Meter {
    pub discriminator: u64,
    /// Names the meter without its serial number.
    pub meter_id: [u8; 16],
    /// The owner's wallet.
    pub owner: [u8; 32],
    /// The key that speaks for the meter.
    pub device_key: [u8; 32],
    /// The previous key; zero when there was none.
    pub previous_key: [u8; 32],
    /// Address of the connection point.
    pub point: [u8; 32],
    /// The account that registered the record.
    pub installer: [u8; 32],
    /// Number of the page in its zone; NO_PAGE without a slot.
    pub page: u32,
    /// Number of the zone.
    pub zone: u16,
    /// Number of the slot on its page; NO_SLOT without one.
    pub slot: u16,
    /// Confirmed limit in W.
    pub export_limit_w: u32,
    /// Confirmed limit in W.
    pub import_limit_w: u32,
    /// Resolution of the registers.
    pub register_step_wh: u32,
    /// The window of the enrolment message.
    pub enrolment_window: Window,
    /// Statements count from this window on.
    pub first_valid_window: Window,
    /// Number of the key, from 0.
    pub key_epoch: u32,
    /// The previous key's statements count up to this window.
    pub previous_key_last_window: Window,
    /// The window (chain clock) of the last change of the key; 0 while there was none.
    pub last_rotation_window: Window,
    /// Import register at which counting begins, in Wh.
    pub baseline_import_wh: Wh,
    /// Export register at which counting begins, in Wh.
    pub baseline_export_wh: Wh,
    /// Import total at which counting begins, in Wh.
    pub carried_import_wh: Wh,
    /// Export total at which counting begins, in Wh.
    pub carried_export_wh: Wh,
    /// 0 to 15.
    pub tariff_class: u16,
    /// ALG_ED25519.
    pub alg: u8,
    /// 0 gateway-signed, 1 device-signed.
    pub signer_level: u8,
    /// 0 point, 1 production, 2 consumption.
    pub role: u8,
    /// 0 none, 1 solar, 2 wind, 3 storage, 4 hybrid, 5 other.
    pub source: u8,
    /// One of the STATUS constants.
    pub status: u8,
    /// Bump of this address.
    pub bump: u8,
    /// The meter that adopted the slot; zero when there is none.
    pub successor: [u8; 16],
    /// The meter whose slot this meter adopted; zero when there is none.
    pub predecessor: [u8; 16],
    /// Number of the last dispute whose verdict the utility accepted.
    pub accepted_dispute: u32,
    /// The window (chain clock) in which the utility confirmed the record; 0 while it never did.
    pub confirmed_window: Window,
    /// Totals of windows up to this window were counted under another baseline; 0 when the baseline is the enrolment's. A
    /// statement for such a window is no evidence about the slot.
    pub baseline_window: Window,
    /// Kept for the number of the device's maker; 0 until makers are registered.
    pub maker: u16,
    pub padding: [u8; 2],
    /// First 16 bytes of SHA-256 of the enrolment's payload. With them the utility names the enrolment that it confirms.
    pub enrolment: [u8; 16],
    pub reserved: [u8; 32],
}
account!(Meter, REGISTRY, 360);
