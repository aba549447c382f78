import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import {
  base58Encode,
  concatBytes,
  encodePayload,
  encodeSign1,
  Kind,
  MerkleBuilder,
  type Payload,
  parseSign1,
  SIGN1_BYTES,
  type Signer,
  shortHash,
  sigStructure,
  splitSequence,
  toHex,
  windowStartMs,
} from '@gridtokenx/protocol';
import { systemRealClock } from '../adapters/clock/index.js';
import { provenVerifier, sodiumSigner } from '../adapters/sodium/index.js';
import { openDatabase } from '../adapters/sqlite/database.js';
import { SqliteLedger } from '../adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../adapters/sqlite/schema.js';
import { admit } from '../domain/admit.js';
import { Intake } from '../domain/intake.js';
import type { MeterRecord, Registry } from '../ports.js';

/** Messages a second of one core on the same messages, in the order of measuring. */
export interface HotPathRound {
  /** libsodium's bare check of a signature, everything else prepared before. */
  readonly bare: number;
  /** Packets split, parsed, looked up, hashed and verified, up to what the ledger takes. */
  readonly admitted: number;
  /** The same and judged, and committed to a ledger on disk with synchronous FULL. */
  readonly stored: number;
}

const NETWORK = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const WINDOW = 1_900_000;
const METERS = 20;
const IN_PACKET = 20;
const READINGS = 15;

/** What honest gateways say of `METERS` meters: windows of readings a minute apart, each with its statement. */
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
  for (let window = WINDOW; messages.length < count; window++) {
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
    enrolmentWindow: WINDOW,
    firstWindow: WINDOW,
    keyEpoch: 0,
    source: 1,
    status: 'active',
    registerStepWh: 1,
  };
}

interface BarePart {
  readonly signature: Buffer;
  readonly message: Buffer;
  readonly key: Buffer;
}

/**
 * Measures the oracle's own code in this process against bare libsodium, `rounds` times in turn, on `count` signed
 * messages in packets of 20. `directory` is where the ledgers are made (and removed again). Throws when a message that
 * must be verified is not: a fast wrong path is no figure.
 */
export function benchHotPath(directory: string, rounds: number, count: number): HotPathRound[] {
  const signers = Array.from({ length: METERS }, (_, i) => sodiumSigner(new Uint8Array(32).fill(i + 1)));
  const records = signers.map((signer, i) => recordOf(i + 1, signer));
  const packets: { meter: string; bytes: Uint8Array }[] = [];
  const parts: BarePart[] = [];
  const logs = signers.map((signer, i) => logOf(i + 1, signer, Math.ceil(count / METERS)));
  for (let at = 0; at < (logs[0]?.length ?? 0); at += IN_PACKET) {
    for (const [i, log] of logs.entries()) {
      const some = log.slice(at, at + IN_PACKET);
      packets.push({ meter: records[i]?.meterId ?? '', bytes: concatBytes(...some) });
      for (const message of some) {
        const { payload, signature } = parseSign1(message);
        const key = Buffer.from(records[i]?.key ?? []);
        parts.push({ signature: Buffer.from(signature), message: Buffer.from(sigStructure(payload)), key });
      }
    }
  }
  const byId = new Map(records.map((record) => [record.meterId, record]));
  const registry: Registry = {
    asOf: { slot: 1, fetchedAtMs: Number.MAX_SAFE_INTEGER },
    meter: (id) => byId.get(id),
    meters: () => records,
    refresh: async () => {},
  };
  const rate = (work: () => void) => {
    const began = systemRealClock.monotonic();
    work();
    return (parts.length * 1000) / (systemRealClock.monotonic() - began);
  };
  const measured: HotPathRound[] = [];
  for (let round = 0; round < rounds; round++) {
    measured.push({
      bare: rate(() => verifyBare(parts)),
      admitted: rate(() => admitAll(packets, registry)),
      stored: storedRate(directory, packets, registry, rate),
    });
  }
  return measured;
}

const sodium = createRequire(import.meta.url)('sodium-native') as {
  crypto_sign_verify_detached(signature: Buffer, message: Buffer, publicKey: Buffer): boolean;
};
const verifier = provenVerifier();

function verifyBare(parts: readonly BarePart[]): void {
  for (const { signature, message, key } of parts) {
    if (!sodium.crypto_sign_verify_detached(signature, message, key)) throw new Error('a good signature is refused');
  }
}

function admitAll(packets: readonly { bytes: Uint8Array }[], registry: Registry): void {
  for (const { bytes } of packets) {
    for (const message of splitSequence(bytes)) {
      if (!('admitted' in admit(message, 0, NETWORK, registry, verifier))) throw new Error('a good message is refused');
    }
  }
}

/** A new ledger each time; opening it is not part of the figure. */
function storedRate(
  directory: string,
  packets: readonly { meter: string; bytes: Uint8Array }[],
  registry: Registry,
  rate: (work: () => void) => number,
): number {
  const folder = mkdtempSync(join(directory, 'gtx-bench-ledger-'));
  const database = openDatabase(join(folder, 'ledger.sqlite'), ledgerMigrations);
  try {
    const randomness = { bytes: (length: number) => new Uint8Array(length).fill(1), fraction: () => 0.5 };
    let verified = 0;
    const nowMs = windowStartMs(WINDOW) + 365 * 86_400_000;
    const intake = new Intake({
      ledger: new SqliteLedger(database, registry, randomness, () => {}),
      registry,
      verifier,
      networkId: NETWORK,
      clock: { now: () => nowMs },
      realClock: { ...systemRealClock, after: () => () => {} },
      logger: { info: () => {}, warn: () => {}, error: (fields, text) => fail(text, fields) },
      onStored: () => {},
      onVerified: () => {},
      onCommit: ({ verdicts }) => {
        verified += verdicts.get(0) ?? 0;
      },
    });
    const gateway = new Uint8Array(32).fill(77);
    const figure = rate(() => {
      for (const { meter, bytes } of packets) intake.receive({ gateway, meter, stream: 'backfill', bytes });
      intake.flush();
    });
    const sent = packets.reduce((sum, { bytes }) => sum + bytes.length / SIGN1_BYTES, 0);
    if (verified !== sent) throw new Error(`${verified} of ${sent} messages were verified`);
    return figure;
  } finally {
    database.sqlite.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function fail(text: string, fields: object): never {
  throw new Error(`${text}: ${String((fields as { err?: unknown }).err)}`);
}
