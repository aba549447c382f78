//! Events: "Program data:" logs of Anchor's discriminator and the Borsh fields. With fixed sizes the fields are a packed
//! struct.

use bytemuck::{Pod, Zeroable};

use crate::{BaseUnits, Wh, Window, discriminator, sys};

/// Writes the log entry of an event that `event!` declared.
#[inline(always)]
pub fn emit(event: &impl Pod) {
    sys::log_data(bytemuck::bytes_of(event));
}

/// Declares a packed struct whose constructor sets the discriminator. `Name::emit(field, ...)` writes the log entry.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[repr(C, packed)]
        #[derive(Clone, Copy, Pod, Zeroable)]
        pub struct $name { discriminator: u64, $(pub $field: $type),* }

        impl $name {
            /// Writes the log entry.
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            pub fn emit($($field: $type),*) {
                emit(&Self { discriminator: const { discriminator("event:", stringify!($name)) }, $($field),* });
            }
        }
    };
}

event!(Initialized { authority: [u8; 32], network_id: [u8; 8], development: u8 });
event!(ZoneCreated { zone: u16, utility: [u8; 32], capacity_w: u64 });
event!(AttestorsSet { zone: u16, epoch: u32, threshold: u8, attestors: u8 });
event!(AttestorsAnnounced { zone: u16, threshold: u8, attestors: u8, window: Window });
event!(AttestorsCancelled { zone: u16, window: Window });
event!(UserRegistered { wallet: [u8; 32], zone: u16, role: u8 });
event!(MeterRegistered {
    meter_id: [u8; 16],
    owner: [u8; 32],
    device_key: [u8; 32],
    zone: u16,
    page: u32,
    slot: u16,
    role: u8,
    signer_level: u8,
    enrolment_window: Window,
});
event!(MeterConfirmed {
    meter_id: [u8; 16],
    zone: u16,
    page: u32,
    slot: u16,
    export_limit_w: u32,
    import_limit_w: u32,
    register_step_wh: u32,
    tariff_class: u16,
    signer_level: u8,
});
event!(PageCreated { zone: u16, page: u32 });
event!(SlotActivated { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, window: Window, moves: u32 });
event!(
    /// The one event of an attest_page. `skipped` has the slots of the bitmap that did not accept their totals.
    PageAttested {
        zone: u16,
        page: u32,
        version: u64,
        window: Window,
        signers: u8,
        skipped: [u8; 32],
        root: [u8; 32],
        history: [u8; 32],
    }
);
event!(SlotSynced { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, flags: u16, moves: u32 });
event!(StatementSubmitted {
    meter_id: [u8; 16],
    zone: u16,
    page: u32,
    slot: u16,
    window: Window,
    export_wh: Wh,
    import_wh: Wh,
    moves: u32
});
event!(DisputeOpened { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, number: u32, attestors: u8, epoch: u8 });
event!(DisputeDecided { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, number: u32, verdict: u8 });
event!(DisputeResolved { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, number: u32, moves: u32 });
event!(KeyRotated { meter_id: [u8; 16], device_key: [u8; 32], key_epoch: u32, last_window: Window, recovery: u8 });
event!(MeterReplaced { meter_id: [u8; 16], successor: [u8; 16], zone: u16, page: u32, slot: u16 });
event!(StatusSet { meter_id: [u8; 16], status: u8, export_wh: Wh, import_wh: Wh, window: Window });
event!(TokenInitialized { mint: [u8; 32], vault: [u8; 32] });
event!(LedgerPageCreated { zone: u16, page: u32 });
event!(DestinationSet { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, destination: u8 });
event!(BudgetCreated { zone: u16 });
event!(
    /// `skipped` has the slots whose energy does not fit the zone's budget now. Their energy stays due.
    PageMinted { zone: u16, page: u32, slots: u16, minted_wh: Wh, amount: BaseUnits, skipped: [u8; 32] }
);
event!(
    /// The slot's energy does not fit the zone's budget now. It stays due.
    MintSkipped { meter_id: [u8; 16], zone: u16, page: u32, slot: u16, due_wh: Wh }
);
event!(MeterMinted {
    meter_id: [u8; 16],
    owner: [u8; 32],
    zone: u16,
    page: u32,
    slot: u16,
    minted_wh: Wh,
    amount: BaseUnits
});
event!(Retired {
    meter_id: [u8; 16],
    owner: [u8; 32],
    zone: u16,
    page: u32,
    slot: u16,
    retired_wh: Wh,
    amount: BaseUnits
});
