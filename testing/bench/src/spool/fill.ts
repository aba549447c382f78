import { encodePayload, Kind } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { openSpool } from '#edge/adapters/spool/spool.js';
import { type SignedMessage, signMessage } from '#edge/domain/signed-message.js';
import { RecoveryScan } from '#edge/domain/signing/recovery.js';
import { SEGMENT_BYTES } from '#edge/wiring/sizes.js';

const METERS = 10;
const IN_COMMIT = 1_000;
const START_MS = Date.UTC(2026, 0, 1);
/** A signature that nobody checks: filling would take minutes with real ones. */
const signer = { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64).fill(7) };

/** Fills a spool with so many records of ten meters at 1 Hz, with a statement each `every` readings; 0: none. */
export async function fillSpool(dir: string, records: number, every: number): Promise<void> {
  const { spool } = await openSpool(nodeDisk, dir, systemClock, new RecoveryScan(), SEGMENT_BYTES);
  let batch: SignedMessage[] = [];
  for (let i = 0; i < records; i++) {
    const second = Math.floor(i / METERS);
    const head = {
      networkId: new Uint8Array(8),
      meterId: new Uint8Array(16).fill(1 + (i % METERS)),
      seq: BigInt(second + 1),
    };
    batch.push(signMessage(payloadOf(head, second, every), signer));
    if (batch.length < IN_COMMIT && i < records - 1) continue;
    await spool.append(batch);
    batch = [];
  }
  await spool.close();
}

interface Head {
  readonly networkId: Uint8Array;
  readonly meterId: Uint8Array;
  readonly seq: bigint;
}

function payloadOf(head: Head, second: number, every: number): Uint8Array {
  const values = { importWh: BigInt(second), exportWh: 0n, quality: 0, timeUncertaintyMs: 10 };
  if (every > 0 && second % every === every - 1) {
    const window = 1_000_000 + second / every;
    const root = { readingCount: every - 1, readingsRoot: new Uint8Array(32) };
    return encodePayload({ kind: Kind.statement, ...head, ...values, ...root, window: Math.floor(window) } as never);
  }
  return encodePayload({
    ...{ kind: Kind.reading, ...head, ...values, timeMs: BigInt(START_MS + 1_000 * second) },
    ...{ powerW: null, voltageDv: null, frequencyChz: null, bootCount: 1 },
    ...{ raw: new Uint8Array(4), prev: new Uint8Array(16) },
  });
}
