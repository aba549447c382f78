import { decodeMeterPage, type MeterSlot, type RawAccount } from '@gridtokenx/chain-client';
import { asWindow } from '@gridtokenx/protocol';
import type { MeterPageRead, SlotRead } from '../../domain/settlement/ports.js';

const toSlot = (slot: MeterSlot): SlotRead => ({ ...slot, window: asWindow(slot.window) });

/** A meter page's account as settlement reads it. Throws `AccountFormatError`. */
export function readMeterPage(account: RawAccount): MeterPageRead {
  const page = decodeMeterPage(account);
  return { ...page, highestWindow: asWindow(page.highestWindow), slots: page.slots.map(toSlot) };
}
