import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type MeterId, parseSign1, sigStructure, splitSequence, windowStartAtMs } from '@gridtokenx/protocol';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import { inThread } from '#oracle/adapters/sodium/in-thread.js';
import { spawnThread, usualThreads, VerifyThreads } from '#oracle/adapters/sodium/threads.js';
import { openDatabase } from '#oracle/adapters/sqlite/database.js';
import { SqliteLedger } from '#oracle/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '#oracle/adapters/sqlite/schema.js';
import { admit } from '#oracle/domain/intake/admit.js';
import { Intake } from '#oracle/domain/intake/intake.js';
import type { SignatureChecks } from '#oracle/domain/intake/ports.js';
import type { Registry } from '#oracle/domain/ports.js';
import { JUDGING } from '#oracle/domain/verdicts/judging.js';
import { INITIAL_WINDOW, NETWORK, packetsOf, signedJournals } from './logs.js';

/** Messages a second of the clock, and of the thread's CPU time. The latter stays stable while others use the cores. */
export interface Rate {
  readonly wall: number;
  readonly cpu: number;
}

/** Results on the same messages, in this order. */
export interface HotPathRound {
  /** libsodium's bare check of a signature, with everything else prepared before. */
  readonly bare: Rate;
  /** Packets split, parsed, matched to their meter, hashed and verified, up to the input of the ledger. */
  readonly admitted: Rate;
  /** The same, judged and committed to a ledger on disk with synchronous FULL; all in one thread. */
  readonly stored: Rate;
  /** The same with signatures checked on `threads` threads beside the main thread, by the clock only. */
  readonly threaded: number;
}

const METERS = 20;
const IN_PACKET = 20;
/** Bounds the waiting messages of one gateway: the intake would drop more. */
const IN_QUEUE = 4_000;

interface BarePart {
  readonly signature: Buffer;
  readonly message: Buffer;
  readonly key: Buffer;
}

/** Bytes that a socket delivers at once: the event loop turns between two of them, as in the oracle. */
const SOCKET_BYTES = 65_536;

/**
 * Compares the oracle's own code in this process with bare libsodium in one thread, `rounds` times in turn. Uses
 * `count` signed messages in packets of 20. The last figure uses `threads` threads (default: the oracle's
 * configuration). Makes ledgers in `directory` and removes them. Rejects when a message that must be verified is not: a
 * fast wrong path is no figure.
 */
export async function benchHotPath(
  directory: string,
  rounds: number,
  count: number,
  threads = usualThreads(),
): Promise<HotPathRound[]> {
  const { logs, packets, parts } = prepared(count);
  const records = logs.map(({ record }) => record);
  const byId = new Map(records.map((record) => [record.meterId, record]));
  const registry: Registry = {
    asOf: { chainSlot: 1, fetchedAtMs: Number.MAX_SAFE_INTEGER },
    meter: (id) => byId.get(id),
    meters: () => records,
    refresh: async () => {},
  };
  const rate = (work: () => void) => rateOf(parts.length, work);
  const logger = { debug: () => {}, info: () => {}, warn: fail, error: fail };
  const checks = new VerifyThreads({
    ...{ threads, verifier, clock: systemClock, random: systemRandom, logger, spawn: spawnThread },
  });
  while (checks.ready < threads) await turn();
  const measured: HotPathRound[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const bare = rate(() => verifyBare(parts));
      const admitted = rate(() => admitAll(packets, registry));
      const one = openIntake(directory, registry);
      const stored = rate(() => one.sendAll(packets));
      one.close(parts.length);
      const many = openIntake(directory, registry, checks);
      const began = systemClock.monotonicMs();
      await many.sendInTurns(packets);
      const threaded = (parts.length * 1_000) / (systemClock.monotonicMs() - began);
      many.close(parts.length);
      measured.push({ bare, admitted, stored, threaded });
    }
  } finally {
    await checks.close();
  }
  return measured;
}

/** Returns messages a second of libsodium's bare check by the clock, over `count` messages once. */
export function benchBare(count: number): number {
  const { parts } = prepared(count);
  return rateOf(parts.length, () => verifyBare(parts)).wall;
}

function prepared(count: number) {
  const logs = signedJournals(METERS, Math.ceil(count / METERS));
  const cut = logs.map((journal) => packetsOf(journal, IN_PACKET));
  const packets: SentPacket[] = [];
  const parts: BarePart[] = [];
  for (let at = 0; at < (cut[0]?.length ?? 0); at++) {
    for (const [i, { record }] of logs.entries()) {
      const bytes = cut[i]?.[at] ?? new Uint8Array();
      packets.push({ meter: record.meterId, bytes });
      for (const message of splitSequence(bytes)) parts.push(bareOf(message, record.key));
    }
  }
  return { logs, packets, parts };
}

function rateOf(messages: number, work: () => void): Rate {
  const [cpuBegan, began] = [process.threadCpuUsage(), systemClock.monotonicMs()];
  work();
  const wallMs = systemClock.monotonicMs() - began;
  const { user, system } = process.threadCpuUsage(cpuBegan);
  return { wall: (messages * 1_000) / wallMs, cpu: (messages * 1_000_000) / (user + system) };
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
const verifier = provedVerifier();

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

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface SentPacket {
  readonly meter: MeterId;
  readonly bytes: Uint8Array;
}

/** Opens a new ledger each time; opening is not part of the figure. */
function openIntake(directory: string, registry: Registry, checks: SignatureChecks = inThread(verifier)) {
  const folder = mkdtempSync(join(directory, 'gtx-bench-ledger-'));
  const database = openDatabase(join(folder, 'ledger.sqlite'), ledgerMigrations);
  const randomness = { bytes: (length: number) => new Uint8Array(length).fill(1), fraction: () => 0.5 };
  let verified = 0;
  const nowMs = windowStartAtMs(INITIAL_WINDOW) + 365 * 86_400_000;
  const intake = new Intake({
    ledger: new SqliteLedger(database, registry, randomness, () => {}, JUDGING),
    registry,
    verifier,
    checks,
    networkId: NETWORK,
    readingClock: { nowMs: () => nowMs },
    // Commits when enough has gathered, never by time.
    clock: { ...systemClock, after: (ms, call) => (ms === 0 ? systemClock.after(0, call) : () => {}) },
    logger: { debug: () => {}, info: () => {}, warn: fail, error: fail },
    onStored: () => {},
    onRegistry: () => {},
    onVerified: () => {},
    onCommit: ({ verdicts }) => {
      verified += verdicts.get(0) ?? 0;
    },
  });
  const gateway = new Uint8Array(32).fill(77);
  const send = ({ meter, bytes }: SentPacket) => intake.receive({ gateway, meter, stream: 'backfill', bytes });
  return {
    sendAll(packets: readonly SentPacket[]): void {
      for (const packet of packets) {
        send(packet);
        if (intake.queue.waiting > IN_QUEUE) intake.drain();
      }
      intake.flush();
    },
    async sendInTurns(packets: readonly SentPacket[]): Promise<void> {
      let inTurn = 0;
      for (const packet of packets) {
        send(packet);
        inTurn += packet.bytes.length;
        if (inTurn < SOCKET_BYTES) continue;
        inTurn = 0;
        do await turn();
        while (intake.queue.waiting > IN_QUEUE);
      }
      checks?.finish();
      intake.flush();
    },
    /** Throws unless all `sent` messages are verified and stored. */
    close(sent: number): void {
      const stored = database.sqlite.prepare('SELECT count(*) AS n FROM messages WHERE verdict = 0').get()?.n;
      database.sqlite.close();
      rmSync(folder, { recursive: true, force: true });
      if (verified !== sent || stored !== sent) throw new Error(`${verified} of ${sent} messages were verified`);
    },
  };
}

function fail(fields: object, text: string): never {
  throw new Error(`${text}: ${String((fields as { err?: unknown }).err)}`);
}

export { usualThreads } from '#oracle/adapters/sodium/threads.js';
