import { decodePayload, fromHex, Kind, parseSign1 } from '@gridtokenx/protocol';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Home } from './support/home.js';
import { reusedSeqs } from './support/oracle.js';
import { build, until } from './support/processes.js';

let home: Home;
beforeAll(build);
afterEach(() => home?.tearDown());

const statements = () =>
  (home.oracle?.seen ?? []).flatMap(({ payload }) => (payload.kind === Kind.statement ? [payload] : []));

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

    home.writeClock(true);
    await home.startGateway();
    await until('two statements', () => new Set(statements().map(({ window }) => window)).size >= 3, 60_000);
    expect(reusedSeqs(home.oracle?.seen ?? [])).toEqual([]);
    const [, one, two] = statements();
    expect(two && one && two.window > one.window).toBe(true);
    expect(one?.quality).toBe(64);
    await until('all acknowledged', async () => ((await home.status()).spool as { depth: number }).depth <= 2);
    expect((await home.status()).problems).toEqual([]);
    expect(await home.gateway?.kill('SIGTERM')).toBe(0);
    await until('the status says offline', () => home.oracle?.statuses.at(-1)?.online === false);
  });
});
