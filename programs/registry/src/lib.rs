//! Registry: the parties that may speak. Zones, attestors, users, connection points, meters and their keys; no energy, no
//! money.
#![cfg_attr(target_os = "solana", no_std)]

#[cfg(target_arch = "bpf")]
use sbpf_rt as _;

mod announce_attestors;
mod cancel_attestors;
mod confirm_meter;
mod create_zone;
mod enrolment;
mod freeze;
mod initialize;
mod install_attestors;
mod limits;
mod record;
mod register_meter;
mod register_user;
mod replace_meter;
mod rotate_key;
mod set_status;

gtx_common::program!(super::process);

gtx_common::instructions! {
    INITIALIZE => initialize,
    CREATE_ZONE => create_zone,
    ANNOUNCE_ATTESTORS => announce_attestors,
    INSTALL_ATTESTORS => install_attestors,
    CANCEL_ATTESTORS => cancel_attestors,
    REGISTER_USER => register_user,
    REGISTER_METER => register_meter,
    CONFIRM_METER => confirm_meter,
    ROTATE_KEY => rotate_key,
    REPLACE_METER => replace_meter,
    SET_STATUS => set_status,
}
