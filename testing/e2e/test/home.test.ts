import { join } from 'node:path';
import {
  decodePayload,
  EventCode,
  fromHex,
  GapReason,
  Kind,
  parseSign1,
  Quality,
  windowOf,
} from '@gridtokenx/protocol';
import { expectedTotals, loadProfiles } from '@gridtokenx/simulators';
import { reusedSeqs } from '@gridtokenx/testing-kit/fake-oracle';
import { build, until } from '@gridtokenx/testing-kit/processes';
import { readableByOthers } from '@gridtokenx/testing-kit/readable-by-others';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { readFrames } from '#edge/adapters/frames/ring.js';
import { Home } from '../support/home.js';

/**
 * Starts two homes once for all tests of this file. Both play their profile at the same time, each with its own meters,
 * broker and gateway. Each test continues from the state that the previous test left. No test counts earlier messages:
 * each waits for messages after its own beginning, and restores its oracle.
 */
const [tcp, rtu] = [new Home(), new Home()];
const homes = [
  ['tcp', tcp],
  ['rtu-over-tcp', rtu],
] as const;
const enrolments = new Map<Home, { text: string; again: string }>();

async function start(home: Home, transport: 'tcp' | 'rtu-over-tcp', oracles: number): Promise<void> {
  await home.setUp(transport, oracles);
  const { code, output, text } = await home.enrol();
  if (code !== 0) throw new Error(output);
  enrolments.set(home, { text, again: (await home.enrol()).text });
  home.writeClock(true, 2);
  await home.startGateway();
}

beforeAll(async () => {
  build();
  await Promise.all([start(tcp, 'tcp', 1), start(rtu, 'rtu-over-tcp', 2)]);
}, 120_000);
afterAll(() => Promise.all(homes.map(([, home]) => home.tearDown())));

const seen = (home: Home) => home.oracle?.seen ?? [];
const depth = async (home: Home) => ((await home.status()).spool as { depth: number }).depth;

/** Returns statements by seq: a statement that was sent again counts once. */
const statements = (home: Home) => {
  const all = seen(home).flatMap(({ payload }) => (payload.kind === Kind.statement ? [payload] : []));
  return [...new Map(all.map((statement) => [statement.seq, statement])).values()];
};

describe.each(homes)('a home over %s', (_, home) => {
  test('is enrolled once, with what its registers showed', () => {
    const { text = '', again } = enrolments.get(home) ?? {};
    const [entry] = JSON.parse(text) as { message: string; import_wh: string; export_wh: string }[];
    expect([entry?.import_wh, entry?.export_wh]).toEqual(['1000000', '2000000']);
    const enrolment = decodePayload(parseSign1(fromHex(entry?.message ?? '')).payload);
    const expected = { kind: Kind.enrolment, seq: 1n, importWh: 1_000_000n, zone: 1, deviceSigned: false };
    expect(enrolment).toMatchObject(expected);
    expect(again).toBe(text);
  });

  test('is read, signed, published and acknowledged', async () => {
    // Two windows of the profile, and a closing window for the energy between the last poll and the boundary.
    const closing = windowOf(home.startAtMs) + 2;
    await until('the closing window', () => statements(home).some(({ window }) => window >= closing), 60_000);
    const [profile] = loadProfiles(home.profilesPath);
    if (!profile) throw new Error('no profile');
    const expected = expectedTotals(profile, 2);
    const last = statements(home).at(-1);
    expect([last?.importWh, last?.exportWh]).toEqual([1_000_000n + expected.importWh, 2_000_000n + expected.exportWh]);
    expect(expected.exportWh).toBeGreaterThan(100n);
    const windows = statements(home).map(({ window }) => window);
    expect(windows).toEqual([...new Set(windows)].sort((x, y) => x - y));
    // On a busy machine a poll may miss a boundary, but not every boundary.
    expect(statements(home).some(({ quality }) => quality === Quality.gatewaySigned)).toBe(true);
    expect(reusedSeqs(seen(home))).toEqual([]);
    await until('all acknowledged', async () => (await depth(home)) <= 2);
    expect((await home.status()).problems).toEqual([]);
    expect(readableByOthers(join(home.dir, 'data'))).toEqual([]);
  });
});

describe('oracles', () => {
  test('that lose their ledger get everything again', async () => {
    const through = tcp.oracle?.storedThrough(tcp.meterId) ?? 0n;
    expect(through).toBeGreaterThan(8n);
    tcp.oracle?.loseLedger();
    expect(tcp.oracle?.stored(tcp.meterId).size).toBe(0);
    await until('everything again', () => (tcp.oracle?.storedThrough(tcp.meterId) ?? 0n) >= through);
    expect(reusedSeqs(seen(tcp))).toEqual([]);
  });

  test('one of two that loses its ledger gets everything again, though the other one has it', async () => {
    const [first, second] = rtu.oracles;
    if (!first || !second) throw new Error('two oracles are needed');
    const both = (least: bigint) => () => [first, second].every((oracle) => oracle.storedThrough(rtu.meterId) >= least);
    await until('readings at both', both(8n));
    const through = second.storedThrough(rtu.meterId);
    second.loseLedger();
    await until('everything again', () => second.storedThrough(rtu.meterId) >= through);
    await until('going on', both(through + 3n));
    expect(reusedSeqs([...first.seen, ...second.seen])).toEqual([]);
  });

  test('that refuse a message get its gap, and the watermark goes on', async () => {
    const { oracle, meterId } = tcp;
    if (!oracle) throw new Error('an oracle is needed');
    let refused = 0n;
    oracle.refuse = ({ payload }) => {
      if (refused === 0n && payload.kind === Kind.reading && !oracle.stored(meterId).has(payload.seq))
        refused = payload.seq;
      return payload.seq === refused;
    };
    await until('a refused message', () => refused > 0n);
    await until('the watermark beyond it', () => oracle.storedThrough(meterId) > refused + 2n);
    const gap = seen(tcp).flatMap(({ payload }) =>
      payload.kind === Kind.event && payload.code === EventCode.gap && payload.value === refused ? [payload] : [],
    );
    expect(gap[0]).toMatchObject({ detail: 1, quality: Quality.gatewaySigned });
    expect(gap[0]?.data[0]).toBe(GapReason.refused);
    oracle.refuse = () => false;
  });
});

describe.each(homes)('a gateway over %s that is stopped', (_, home) => {
  test('says that it is offline, and leaves on the disk what the meter said', async () => {
    expect((await home.gateway?.kill('SIGTERM'))?.code).toBe(0);
    const { frames, damaged } = await readFrames(nodeDisk, join(home.dir, 'data', 'frames'));
    expect(damaged).toBe(0);
    // The frames contain the last signed messages.
    expect(frames.length).toBeGreaterThan(10);
    expect(frames.every(({ frame, unit }) => frame[0] === unit)).toBe(true);
    await until('the status says offline', () => home.oracle?.statuses.at(-1)?.online === false);
  });
});
