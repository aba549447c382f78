import {
  base58Encode,
  concatBytes,
  encodePayload,
  encodeSign1,
  Kind,
  MerkleBuilder,
  type Payload,
  type Signer,
  shortHash,
  sigStructure,
  toHex,
  windowStartMs,
} from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import type { MeterRecord } from '#oracle/domain/ports.js';

export const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
export const FIRST_WINDOW = 1_900_000;
const READINGS = 15;

/** What an honest gateway says of a meter: windows of readings a minute apart, each with its statement. */
function logOf(number: number, signer: Signer, count: number): Uint8Array[] {
  const meterId = new Uint8Array(16).fill(number);
  const messages: Uint8Array[] = [];
  let prev: Uint8Array = new Uint8Array(16);
  let exportWh = 1_000n;
  const say = (payload: Payload): Uint8Array => {
    const signed = encodePayload(payload);
    messages.push(encodeSign1(signed, signer.sign(sigStructure(signed))));
    return signed;
  };
  const common = () => ({ networkId: NETWORK, meterId, seq: BigInt(messages.length + 1) });
  const quality = { quality: 64, timeUncertaintyMs: 50 };
  for (let window = FIRST_WINDOW; messages.length < count; window++) {
    const leaves = new MerkleBuilder();
    for (let minute = 1; minute <= READINGS; minute++) {
      exportWh += 20n;
      const signed = say({
        kind: Kind.reading,
        ...common(),
        ...quality,
        timeMs: BigInt(windowStartMs(window) + minute * 60_000 - 1_000),
        importWh: 5_000n,
        exportWh,
        powerW: -1_200,
        voltageDv: 2301,
        frequencyChz: 5001,
        bootCount: 1,
        raw: Uint8Array.of(1, 2, 3, 4),
        prev,
      });
      leaves.add(signed);
      prev = shortHash(signed);
    }
    const readingsRoot = leaves.root();
    say({
      kind: Kind.statement,
      ...common(),
      ...quality,
      window,
      importWh: 5_000n,
      exportWh,
      readingCount: READINGS,
      readingsRoot,
    });
  }
  return messages.slice(0, count);
}

function recordOf(number: number, signer: Signer): MeterRecord {
  return {
    meterId: toHex(new Uint8Array(16).fill(number)),
    owner: base58Encode(new Uint8Array(32).fill(200)),
    key: signer.publicKey,
    signer: 'gateway',
    role: 0,
    zone: 1,
    page: 0,
    slot: number,
    importBaselineWh: 5_000n,
    exportBaselineWh: 1_000n,
    importCarriedWh: 0n,
    exportCarriedWh: 0n,
    exportLimitW: 10_000,
    importLimitW: 10_000,
    enrolmentWindow: FIRST_WINDOW,
    firstWindow: FIRST_WINDOW,
    keyEpoch: 0,
    source: 1,
    status: 'active',
    registerStepWh: 1,
  };
}

/** One meter's whole log, signed, and what the registry has of it. */
export interface MeterLog {
  readonly record: MeterRecord;
  readonly messages: readonly Uint8Array[];
}

/** `meters` logs of `each` messages: readings a minute apart and a statement for each window, nothing missing. */
export function signedLogs(meters: number, each: number): MeterLog[] {
  return Array.from({ length: meters }, (_, i) => {
    const signer = sodiumSigner(new Uint8Array(32).fill(i + 1));
    return { record: recordOf(i + 1, signer), messages: logOf(i + 1, signer, each) };
  });
}

/** A log in packets of `size` messages, as the backfill of a gateway. */
export function packetsOf({ messages }: MeterLog, size: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < messages.length; at += size) packets.push(concatBytes(...messages.slice(at, at + size)));
  return packets;
}

/** The entries of an oracle's meters file. */
export function metersFile(logs: readonly MeterLog[]): string {
  const meters = logs.map(({ record }) => ({
    meter_id: record.meterId,
    owner: record.owner,
    key: base58Encode(record.key),
    signer: record.signer,
    role: record.role,
    zone: record.zone,
    import_baseline_wh: String(record.importBaselineWh),
    export_baseline_wh: String(record.exportBaselineWh),
    export_limit_w: record.exportLimitW,
    import_limit_w: record.importLimitW,
    enrolment_window: record.enrolmentWindow,
  }));
  return JSON.stringify({ version: 1, meters });
}

export { provedVerifier } from '@gridtokenx/runtime/node/sodium';
