import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseSign1, SIGN1_BYTES, sigStructure, splitSequence, windowStartMs } from '@gridtokenx/protocol';
import { systemRealClock } from '../adapters/clock/index.js';
import { provenVerifier } from '../adapters/sodium/index.js';
import { openDatabase } from '../adapters/sqlite/database.js';
import { SqliteLedger } from '../adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../adapters/sqlite/schema.js';
import { admit } from '../domain/admit.js';
import { Intake } from '../domain/intake.js';
import type { Registry } from '../ports.js';
import { FIRST_WINDOW, NETWORK, packetsOf, signedLogs } from './logs.js';

/** Messages a second of the clock, and of the thread's CPU time: the latter holds still where others use the cores. */
export interface Rate {
  readonly wall: number;
  readonly cpu: number;
}

/** What was measured on the same messages, in this order. */
export interface HotPathRound {
  /** libsodium's bare check of a signature, everything else prepared before. */
  readonly bare: Rate;
  /** Packets split, parsed, looked up, hashed and verified, up to what the ledger takes. */
  readonly admitted: Rate;
  /** The same and judged, and committed to a ledger on disk with synchronous FULL. */
  readonly stored: Rate;
}

const METERS = 20;
const IN_PACKET = 20;

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
  const logs = signedLogs(METERS, Math.ceil(count / METERS));
  const cut = logs.map((log) => packetsOf(log, IN_PACKET));
  const packets: { meter: string; bytes: Uint8Array }[] = [];
  const parts: BarePart[] = [];
  for (let at = 0; at < (cut[0]?.length ?? 0); at++) {
    for (const [i, { record }] of logs.entries()) {
      const bytes = cut[i]?.[at] ?? new Uint8Array();
      packets.push({ meter: record.meterId, bytes });
      for (const message of splitSequence(bytes)) parts.push(bareOf(message, record.key));
    }
  }
  const records = logs.map(({ record }) => record);
  const byId = new Map(records.map((record) => [record.meterId, record]));
  const registry: Registry = {
    asOf: { slot: 1, fetchedAtMs: Number.MAX_SAFE_INTEGER },
    meter: (id) => byId.get(id),
    meters: () => records,
    refresh: async () => {},
  };
  const rate = (work: () => void): Rate => {
    const [cpuBegan, began] = [process.threadCpuUsage(), systemRealClock.monotonic()];
    work();
    const wallMs = systemRealClock.monotonic() - began;
    const { user, system } = process.threadCpuUsage(cpuBegan);
    return { wall: (parts.length * 1_000) / wallMs, cpu: (parts.length * 1_000_000) / (user + system) };
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

function bareOf(message: Uint8Array, key: Uint8Array): BarePart {
  const { payload, signature } = parseSign1(message);
  return {
    signature: Buffer.from(signature),
    message: Buffer.from(sigStructure(payload)),
    key: Buffer.from(key),
  };
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
  rate: (work: () => void) => Rate,
): Rate {
  const folder = mkdtempSync(join(directory, 'gtx-bench-ledger-'));
  const database = openDatabase(join(folder, 'ledger.sqlite'), ledgerMigrations);
  try {
    const randomness = { bytes: (length: number) => new Uint8Array(length).fill(1), fraction: () => 0.5 };
    let verified = 0;
    const nowMs = windowStartMs(FIRST_WINDOW) + 365 * 86_400_000;
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
