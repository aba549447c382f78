import { decodeLedgerPage, decodeMeterPage, type MeterSlot, type RawAccount } from '@gridtokenx/chain-client';
import { asWindow } from '@gridtokenx/protocol';
import type { MeterPageRead, PageRead, SlotRead } from '../../domain/settlement/ports.js';

const toSlot = (slot: MeterSlot): SlotRead => ({
  ...slot,
  window: asWindow(slot.window),
});

/** A meter page's account as settlement reads it. Throws `AccountFormatError`. */
export function readMeterPage(account: RawAccount): MeterPageRead {
  const page = decodeMeterPage(account);
  return { ...page, highestWindow: asWindow(page.highestWindow), slots: page.slots.map(toSlot) };
}

/** A ledger page's account as settlement reads it. Throws `AccountFormatError`. */
export function readLedgerPage(account: RawAccount): NonNullable<PageRead['ledger']> {
  const { slots } = decodeLedgerPage(account);
  return { slots };
}
