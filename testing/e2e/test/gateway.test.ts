import { join } from 'node:path';
import { decodePayload, fromHex, Kind, parseSign1, Quality, windowOf } from '@gridtokenx/protocol';
import { expectedTotals, loadProfiles } from '@gridtokenx/simulators';
import { reusedSeqs } from '@gridtokenx/testing-kit/fake-oracle';
import { build, until } from '@gridtokenx/testing-kit/processes';
import { readableByOthers } from '@gridtokenx/testing-kit/readable-by-others';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nodeDisk } from '#edge/adapters/disk/node-disk.js';
import { readFrames } from '#edge/adapters/frames/ring.js';
import { Home } from '../support/home.js';

let home: Home;
beforeAll(build);
afterEach(() => home?.tearDown());

/** Statements by seq: what was sent again counts once. */
const statements = () => {
  const all = (home.oracle?.seen ?? []).flatMap(({ payload }) => (payload.kind === Kind.statement ? [payload] : []));
  return [...new Map(all.map((statement) => [statement.seq, statement])).values()];
};

describe.each(['tcp', 'rtu-over-tcp'] as const)('a home over %s', (transport) => {
  test('is enrolled, read, signed, published and acknowledged', async () => {
    home = new Home();
    await home.setUp(transport);
    const first = await home.enrol();
    expect(first.code, first.output).toBe(0);
    const [entry] = JSON.parse(first.text) as { message: string; import_wh: string; export_wh: string }[];
    expect([entry?.import_wh, entry?.export_wh]).toEqual(['1000000', '2000000']);
    const enrolment = decodePayload(parseSign1(fromHex(entry?.message ?? '')).payload);
    expect(enrolment).toMatchObject({
      kind: Kind.enrolment,
      seq: 1n,
      importWh: 1_000_000n,
      zone: 1,
      deviceSigned: false,
    });
    expect((await home.enrol()).text).toBe(first.text);

    home.writeClock(true, 2);
    await home.startGateway();
    // Two windows of the profile, and a closing one for what falls between the last poll and the boundary.
    const closing = windowOf(home.startMs) + 2;
    await until('the closing window', () => statements().some(({ window }) => window >= closing), 60_000);
    const [profile] = loadProfiles(home.profilesPath);
    if (!profile) throw new Error('no profile');
    const expected = expectedTotals(profile, 2);
    const last = statements().at(-1);
    expect([last?.importWh, last?.exportWh]).toEqual([1_000_000n + expected.importWh, 2_000_000n + expected.exportWh]);
    expect(expected.exportWh).toBeGreaterThan(100n);
    const windows = statements().map(({ window }) => window);
    expect(windows).toEqual([...new Set(windows)].sort((x, y) => x - y));
    // On a busy machine a poll may miss one boundary; not every one.
    expect(statements().some(({ quality }) => quality === Quality.gatewaySigned)).toBe(true);
    expect(reusedSeqs(home.oracle?.seen ?? [])).toEqual([]);
    await until('all acknowledged', async () => ((await home.status()).spool as { depth: number }).depth <= 2);
    expect((await home.status()).problems).toEqual([]);
    expect(readableByOthers(join(home.dir, 'data'))).toEqual([]);
    expect(await home.gateway?.kill('SIGTERM')).toBe(0);
    // What the meter said is on the disk, and holds what was signed last.
    const { frames, damaged } = await readFrames(nodeDisk, join(home.dir, 'data', 'frames'));
    expect(damaged).toBe(0);
    expect(frames.length).toBeGreaterThan(10);
    expect(frames.every(({ frame, unit }) => frame[0] === unit)).toBe(true);
    await until('the status says offline', () => home.oracle?.statuses.at(-1)?.online === false);
  });
});
