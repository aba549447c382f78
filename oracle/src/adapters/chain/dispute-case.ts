import { decodeDispute, decodeMeter, type RawAccount } from '@gridtokenx/chain-client';
import { NodeUnavailable } from '@gridtokenx/chain-sender';
import { asWindow } from '@gridtokenx/protocol';
import { CaseUnreadable, type SlotCase } from '../../domain/settlement/disputes/ports.js';
import { made } from './accounts.js';
import { toRecord } from './registry.js';

/** Where the clock sysvar has its Unix time: after slot, epoch start, epoch and leader schedule epoch. */
const UNIX_SECONDS_AT = 32;

type Account = RawAccount | null | undefined;

/**
 * Reads a slot's meter and case from their accounts and the clock sysvar's. An address that only holds lamports is none.
 * Throws `CaseUnreadable` for accounts of another form, `NodeUnavailable` without a clock.
 */
export function toSlotCase(meterAccount: Account, disputeAccount: Account, clock: Account): SlotCase {
  const seconds = clock && secondsOf(clock.data);
  if (seconds === undefined || seconds === null) throw new NodeUnavailable('the node shows no clock');
  const [meter, dispute] = [made(meterAccount), made(disputeAccount)];
  try {
    const record = meter ? decodeMeter(meter) : null;
    const found = dispute ? decodeDispute(dispute) : null;
    return {
      chainSeconds: seconds,
      meter: record && toRecord(record),
      acceptedCase: record?.acceptedDispute ?? 0,
      dispute: found && {
        number: found.number,
        verdict: found.verdict,
        openedWindow: asWindow(found.openedWindow),
        slotWindow: asWindow(found.slotWindow),
        slotExportWh: found.slotExportWh,
        slotImportWh: found.slotImportWh,
      },
    };
  } catch (cause) {
    throw new CaseUnreadable(`a slot's meter or case: ${String(cause)}`, { cause });
  }
}

function secondsOf(data: Uint8Array): number | null {
  if (data.length < UNIX_SECONDS_AT + 8) return null;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Math.max(0, Number(view.getBigInt64(UNIX_SECONDS_AT, true)));
}
