// Accounts and events of the program oracle. Fields are [name, type, doc].
import { b, key } from './parts.mjs';

export const accounts = {
  MeterPage: [
    ['version', 'u64', 'Raised only by attest_page.'],
    ['moves', 'u32', "Raised by everything else that changes a slot's total or window."],
    ['highest_window', 'u32'],
    ['last_root', b(32)],
    ['history', b(32), 'SHA-256(old, tag, signer bitmap, data, statement payload or written slot) over every change.'],
    ['page', 'u32'],
    ['zone', 'u16'],
    ['bump', 'u8'],
    ['format', 'u8', '1.'],
    ['slots', [{ defined: { name: 'MeterSlot' } }, 256]],
  ],
  Dispute: [
    ['slot_export_wh', 'u64', 'The slot when the dispute was opened.'],
    ['slot_import_wh', 'u64'],
    ['number', 'u32', 'From 1; one more for every dispute of the slot.'],
    ['opened_window', 'u32', 'Window (chain clock) of the opening.'],
    ['slot_window', 'u32'],
    ['page', 'u32'],
    ['zone', 'u16'],
    ['slot', 'u16'],
    ['attestors', 'u8', 'Signer bitmap that the slot names; 0 when anyone moved it.'],
    ['epoch', 'u8'],
    ['verdict', 'u8', '0 open, 1 device convicted, 2 attestors convicted.'],
    ['bump', 'u8'],
    ['meter_id', b(16)],
    ['opener', key],
    ['key', key, 'The device key that signed the contradiction.'],
    ['payload', b(96), 'The contradicting statement.'],
    ['answer', b(96), 'The statement that answered; zero when none did.'],
    ['reserved', b(32)],
  ],
};

export const types = {
  MeterSlot: [
    ['export_wh', 'u64', 'Since enrolment.'],
    ['import_wh', 'u64', 'Since enrolment.'],
    ['window', 'u32', 'Of the totals.'],
    ['export_cap_wh', 'u32', 'The most that the export may rise in a window, in Wh.'],
    ['import_cap_wh', 'u32', 'The most that the import may rise in a window, in Wh.'],
    ['flags', 'u16', '1 active, 2 disputed, 4 extra, 8 moved, 16 closed, 32 suspended, 64 submitted.'],
    ['attestors', 'u8', 'Signer bitmap of the last accepted attest_page; 0 when anyone moved it.'],
    ['epoch', 'u8', 'Low 8 bits of the attestor-set epoch.'],
  ],
};

export const events = {
  PageCreated: [['zone', 'u16'], ['page', 'u32']],
  SlotActivated: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['window', 'u32'], ['moves', 'u32']],
  PageAttested: [
    ['zone', 'u16'], ['page', 'u32'], ['version', 'u64', 'After the raise.'], ['window', 'u32'], ['signers', 'u8', 'Bitmap.'],
    ['skipped', b(32), 'Bitmap of the slots that were set and not accepted.'], ['root', b(32)], ['history', b(32)],
  ],
  StatementSubmitted: [
    ['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['window', 'u32'], ['export_wh', 'u64'], ['import_wh', 'u64'], ['moves', 'u32'],
  ],
  SlotSynced: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['flags', 'u16'], ['moves', 'u32']],
  DisputeOpened: [
    ['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['number', 'u32'], ['attestors', 'u8'], ['epoch', 'u8'],
  ],
  DisputeDecided: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['number', 'u32'], ['verdict', 'u8']],
  DisputeResolved: [['meter_id', b(16)], ['zone', 'u16'], ['page', 'u32'], ['slot', 'u16'], ['number', 'u32'], ['moves', 'u32']],
};
