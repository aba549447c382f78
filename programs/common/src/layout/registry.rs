//! Accounts of the registry.

use bytemuck::{Pod, Zeroable};

use super::account;

/// ["config"]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Config {
    pub discriminator: u64,
    pub authority: [u8; 32],
    pub pending_authority: [u8; 32],
    pub salt: [u8; 16],
    pub network_id: [u8; 8],
    pub genesis_hash: [u8; 32],
    pub bump: u8,
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
    pub zone: u16,
    pub bump: u8,
    pub attestor_count: u8,
    pub threshold: u8,
    pub previous_count: u8,
    pub previous_threshold: u8,
    pub padding: u8,
    pub epoch: u32,
    pub changed_window: u32,
    pub meter_count: u32,
    pub page_count: u32,
    pub evidence_count: u32,
    pub padding2: [u8; 4],
    pub capacity_w: u64,
    pub utility: [u8; 32],
    pub attestors: [[u8; 32]; MAX_ATTESTORS],
    pub previous_attestors: [[u8; 32]; MAX_ATTESTORS],
    /// What the meters that hold a slot can export together, in W: limits and register steps. Never above `capacity_w`.
    pub confirmed_export_w: u64,
    /// The window (chain clock) of the announcement; it means nothing while `announced_count` is 0.
    pub announced_window: u32,
    /// 0: no set is announced.
    pub announced_count: u8,
    pub announced_threshold: u8,
    pub padding3: [u8; 2],
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
/// Of a meter: an installer has registered it, the utility has not confirmed it. It has no slot and no limits.
pub const STATUS_PENDING: u8 = 5;

/// ["user", zone, wallet]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct User {
    pub discriminator: u64,
    pub wallet: [u8; 32],
    pub commitment: [u8; 32],
    pub registered_window: u32,
    pub zone: u16,
    pub role: u8,
    pub status: u8,
    pub bump: u8,
    pub reserved: [u8; 39],
}
account!(User, REGISTRY, 120);

/// ["point", zone, commitment]
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Point {
    pub discriminator: u64,
    pub commitment: [u8; 32],
    pub meter_id: [u8; 16],
    pub zone: u16,
    pub bump: u8,
    pub padding: u8,
    /// Energy up to this window's end is counted, by meters that left the point. The next one begins after it.
    pub counted_window: u32,
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
    pub meter_id: [u8; 16],
    pub owner: [u8; 32],
    pub device_key: [u8; 32],
    pub previous_key: [u8; 32],
    pub point: [u8; 32],
    pub installer: [u8; 32],
    pub page: u32,
    pub zone: u16,
    pub slot: u16,
    pub export_limit_w: u32,
    pub import_limit_w: u32,
    pub register_step_wh: u32,
    pub enrolment_window: u32,
    pub first_valid_window: u32,
    pub key_epoch: u32,
    pub previous_key_last_window: u32,
    pub last_rotation_window: u32,
    pub baseline_import_wh: u64,
    pub baseline_export_wh: u64,
    pub carried_import_wh: u64,
    pub carried_export_wh: u64,
    pub tariff_class: u16,
    pub alg: u8,
    pub signer_level: u8,
    pub role: u8,
    pub source: u8,
    pub status: u8,
    pub bump: u8,
    /// The meter that took the slot over; zero when none did.
    pub successor: [u8; 16],
    /// The meter whose slot this one took over; zero when none.
    pub predecessor: [u8; 16],
    /// Number of the last dispute for which the utility named the accepted totals.
    pub accepted_dispute: u32,
    /// The window (chain clock) in which the utility confirmed the record; 0 while it never did.
    pub confirmed_window: u32,
    /// Totals of windows up to this one were counted under another baseline; 0 when the baseline is the enrolment's. No statement for
    /// such a window says anything about the slot.
    pub baseline_window: u32,
    /// Kept for the number of the device's maker; 0 until makers are registered.
    pub maker: u16,
    pub padding: [u8; 2],
    /// First 16 bytes of SHA-256 of the enrolment's payload, for the utility to name what it confirms.
    pub enrolment: [u8; 16],
    pub reserved: [u8; 32],
}
account!(Meter, REGISTRY, 360);
