import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  asMeterId,
  asPublicKeyText,
  asWh,
  asWindow,
  decodePayload,
  EventCode,
  GapReason,
  Kind,
  parseSign1,
  shortHash,
  sigStructure,
  windowOf,
} from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { FakeRegistry, meterOf } from '@gridtokenx/testing-kit/signed-journal';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeDisk } from '../../src/adapters/disk/node-disk.js';
import type { AppendFile, Disk } from '../../src/domain/ports.js';
import type { SignedMessage } from '../../src/domain/signed-message.js';
import type { GatewayConfig } from '../../src/wiring/config.js';
import { prepareRotation } from '../../src/wiring/rotation.js';
import { keyStore, openBuses, setUp } from '../../src/wiring/setup.js';
import { copyGatewayV1 } from '../support/gateway-copy.js';
import { sample } from '../support/meter-run.js';

const START_MS = Date.UTC(2026, 0, 1, 10, 0);
const WINDOW = windowOf(START_MS);
const HASHES = { softwareHash: new Uint8Array(16), configHash: new Uint8Array(16).fill(3) };
const verifier = provedVerifier();
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const copyAs = (name: string, source?: string) => copyGatewayV1(join(directory.path, name), source);

/** Opens a directory as each command does. */
async function open(config: GatewayConfig, disk: Disk = nodeDisk) {
  const time = new VirtualClock({ startAtMs: START_MS });
  const committed: SignedMessage[] = [];
  const found = await setUp(config, {
    ...{ disk, readingClock: time.reading, clock: time, verifier, counters: { add: () => {} } },
    ...{ buses: openBuses(config, time), committed: (message) => committed.push(message), hardware: () => [] },
  });
  const pv = found.meters.find((one) => one.config.name === 'pv');
  if (!pv) throw new Error(found.faults.join());
  const messages = () => found.spool.read(asMeterId(pv.key.meterId), 1n, 1_000);
  return { ...found, committed, pv, messages };
}

/** Makes the next key of the meter "pv", which the utility approves if `isApproved`. */
async function prepare(config: GatewayConfig, isApproved: boolean, window = WINDOW) {
  const { pv, spool } = await open(config);
  const keys = keyStore(config);
  const prepared = await prepareRotation(keys, pv, window);
  if (isApproved) await keys.approveNext('pv');
  await spool.close();
  return { ...prepared, oldKey: pv.key.signer.publicKey };
}

const isBy = (key: Uint8Array, bytes: Uint8Array) => {
  const { payload, signature } = parseSign1(bytes);
  return verifier.verify(signature, sigStructure(payload), key);
};
const contents = (messages: readonly SignedMessage[]) => messages.map(({ payload }) => decodePayload(payload));

/** A disk of a process that is killed at its change number `fuse`. */
function killedAt(fuse: number) {
  const opened: AppendFile[] = [];
  let changes = 0;
  let kill: (reason: Error) => void = () => {};
  const killed = new Promise<never>((_, reject) => {
    kill = reject;
  });
  killed.catch(() => {});
  const step = <T>(change: () => Promise<T>): Promise<T> => {
    if (changes++ < fuse) return change();
    kill(new Error('killed'));
    return new Promise<never>(() => {});
  };
  const files = (file: AppendFile): AppendFile => ({
    append: (bytes) => step(() => file.append(bytes)),
    sync: () => step(() => file.sync()),
    close: () => file.close(),
  });
  const disk: Disk = {
    ...nodeDisk,
    replace: (path, bytes) => step(() => nodeDisk.replace(path, bytes)),
    remove: (path) => step(() => nodeDisk.remove(path)),
    openAppend: async (path) => {
      const file = await step(() => nodeDisk.openAppend(path));
      opened.push(file);
      return files(file);
    },
  };
  /** Closes what the dead process held. */
  const bury = () => Promise.allSettled(opened.map((file) => file.close()));
  return { disk, changes: () => changes, killed, bury };
}

/** Checks the whole stream after a rotation. */
async function checkRotated(config: GatewayConfig, { next, oldKey, message }: Awaited<ReturnType<typeof prepare>>) {
  const run = await open(config);
  expect(run.pv.key.signer.publicKey).toEqual(next.signer.publicKey);
  await run.pv.journal.start(run.pv.recovered, { ...HASHES, storedThrough: 0n, tornRecords: 0 });
  await run.pv.journal.reading(sample(START_MS + 1_000, 1_700), true);
  const all = await run.messages();
  const ends = contents(all).filter((one) => one.kind === Kind.event && one.code === EventCode.keyChanged);
  const [end] = ends;
  if (!end || end.kind !== Kind.event) throw new Error('no event 9');
  expect(ends).toHaveLength(1);
  expect(end.data).toEqual(next.signer.publicKey.slice(0, 16));
  // Each key signs on its side of event 9, but for the enrolment, which the present key has reserved a seq for.
  for (const { seq, bytes } of all) {
    const isNew = seq > end.seq || seq === message.seq;
    expect(isBy(isNew ? next.signer.publicKey : oldKey, bytes), `seq ${seq}`).toBe(true);
  }
  // The next key declares every seq that is not its own, and begins its own chain.
  const own = all.filter(({ seq }) => seq > end.seq);
  const unused = new Set<bigint>();
  for (const one of contents(own)) {
    if (one.kind !== Kind.event || one.code !== EventCode.gap) continue;
    expect(one.data[0]).toBe(GapReason.unused);
    for (let i = 0n; i < BigInt(one.detail); i++) unused.add(one.value + i);
  }
  for (let seq = 1n; seq <= end.seq; seq++) expect(unused.has(seq), `seq ${seq}`).toBe(seq !== message.seq);
  const [first] = contents(own).filter((one) => 'prev' in one);
  expect(first && 'prev' in first && first.prev).toEqual(new Uint8Array(16));
  await run.spool.close();
}

describe('rotate-key', () => {
  test('until it is approved, the present key signs, over restarts too, and a repeated call gives the same bytes', async () => {
    const config = copyAs('data');
    const first = await prepare(config, false);
    const again = await prepare(config, false, windowOf(START_MS + 80 * 900_000));
    expect([again.message.bytes, again.consent.bytes]).toEqual([first.message.bytes, first.consent.bytes]);
    expect(isBy(first.next.signer.publicKey, first.message.bytes)).toBe(true);
    expect(isBy(first.oldKey, first.consent.bytes)).toBe(true);
    const run = await open(config);
    const { owner, role, zone } = run.pv.recovered.enrolment?.payload ?? {};
    expect(first.payload).toMatchObject({ owner, role, zone, keyEpoch: 1, window: WINDOW });
    await run.pv.journal.start(run.pv.recovered, { ...HASHES, storedThrough: 0n, tornRecords: 0 });
    expect(run.committed.length).toBeGreaterThan(0);
    for (const { bytes, seq } of run.committed) {
      expect(isBy(first.oldKey, bytes)).toBe(true);
      expect(seq).toBeGreaterThan(first.message.seq);
    }
    await run.spool.close();
  });

  test('after a day makes the enrolment anew, with the same key and another seq', async () => {
    const config = copyAs('data');
    const first = await prepare(config, false);
    const later = await prepare(config, false, windowOf(START_MS + 91 * 900_000));
    expect(later.next.signer.publicKey).toEqual(first.next.signer.publicKey);
    expect(later.message.seq).toBeGreaterThan(first.message.seq);
  });

  test('approved: event 9 is the last message of the present key, and the next key continues the seqs', async () => {
    const config = copyAs('data');
    const prepared = await prepare(config, true);
    await checkRotated(config, prepared);
    expect(readdirSync(join(config.data_dir, 'keys'))).not.toContain('next-pv.json');
  });

  test('killed at any change of the disk, the next start ends the rotation, and no seq has two contents', async () => {
    const prepared = await prepare(copyAs('prepared'), true);
    const source = join(directory.path, 'prepared');
    const whole = killedAt(Number.POSITIVE_INFINITY);
    await (await open(copyAs('whole', source), whole.disk)).spool.close();
    expect(whole.changes()).toBeGreaterThan(8);
    for (let fuse = 0; fuse < whole.changes(); fuse++) {
      const config = copyAs('cut', source);
      const { disk, killed, bury } = killedAt(fuse);
      await expect(Promise.race([open(config, disk), killed]), `cut ${fuse}`).rejects.toThrow('killed');
      await bury();
      await checkRotated(config, prepared);
    }
  }, 60_000);

  test('at an oracle: every message of both keys is accepted, and the watermark reaches the newest', async () => {
    const config = copyAs('data');
    const prepared = await prepare(config, true);
    const nowMs = START_MS + 3_600_000;
    const before = await open(copyAs('before'));
    const { payload } = before.pv.recovered.enrolment ?? {};
    if (!payload) throw new Error('no enrolment');
    const meterId = asMeterId(before.pv.key.meterId);
    const record = meterOf(1, {
      ...{
        meterId,
        owner: asPublicKeyText(payload.owner),
        key: prepared.oldKey,
        role: payload.role,
        zone: payload.zone,
      },
      ...{ enrolmentWindow: payload.window, page: null, slot: null },
      ...{ importBaselineWh: asWh(payload.importWh), exportBaselineWh: asWh(payload.exportWh) },
    });
    await before.spool.close();
    const registry = new FakeRegistry(record);
    const oracle = testLedger(registry);
    const taken = (messages: readonly SignedMessage[]) => {
      oracle.take(
        messages.map(({ bytes }) => ({ message: bytes })),
        nowMs,
      );
      return messages.map(({ bytes }) => oracle.verdictOf({ hash: shortHash(bytes) }));
    };
    await checkRotated(config, prepared);
    const run = await open(config);
    const all = await run.messages();
    await run.spool.close();
    const isOld = ({ bytes }: SignedMessage) => isBy(prepared.oldKey, bytes);
    const [old, own] = [all.filter(isOld), all.filter((message) => !isOld(message))];
    expect(new Set(taken(old))).toEqual(new Set([0]));
    expect(oracle.mark(meterId)?.storedThrough).toBe(old.at(-1)?.seq);
    // The utility approves; the old key counts through the running window and the next.
    registry.set({
      ...{ ...record, key: prepared.next.signer.publicKey, keyEpoch: 1 },
      ...{
        previousKey: prepared.oldKey,
        previousKeyLastWindow: asWindow(WINDOW + 1),
        firstWindow: asWindow(WINDOW + 2),
      },
    });
    expect(new Set(taken(own))).toEqual(new Set([0]));
    expect(oracle.mark(meterId)?.storedThrough).toBe(own.at(-1)?.seq);
    expect(new Set(taken(old))).toEqual(new Set([0]));
  });

  test('a second rotation follows with the next key epoch', async () => {
    const config = copyAs('data');
    await prepare(config, true);
    await (await open(config)).spool.close();
    const second = await prepare(config, true);
    expect(second.payload.keyEpoch).toBe(2);
    const run = await open(config);
    expect(run.pv.recovered.enrolment?.payload.keyEpoch).toBe(2);
    expect(run.pv.key.signer.publicKey).toEqual(second.next.signer.publicKey);
    await run.spool.close();
  });
});
