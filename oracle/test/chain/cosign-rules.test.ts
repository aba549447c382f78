import type { BlockhashState } from '@gridtokenx/chain-sender';
import { asPublicKeyText, fromHex } from '@gridtokenx/protocol';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterAll, describe, expect, it } from 'vitest';
import { askOverHttp } from '../../src/adapters/chain/cosign/http.js';
import { serveService } from '../../src/adapters/http/server.js';
import { SqliteCosignRecord } from '../../src/adapters/sqlite/cosign-record.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { chainMigrations } from '../../src/adapters/sqlite/settlement-schema.js';
import { CosignGuard } from '../../src/domain/settlement/cosigning/guard.js';
import { capacityViolation, LeaderSchedule } from '../../src/domain/settlement/cosigning/judge.js';

const KEY = asPublicKeyText(new Uint8Array(32));

describe('what an attestor has signed', () => {
  const of = (digest: number, blockhash: string) => ({
    ...{ zone: 1, page: 0, version: 5n, digest: new Uint8Array(32).fill(digest), blockhash },
    ...{ lastValidHeight: 10, leader: KEY },
  });

  it('binds it until the chain can take it no more; a blockhash that is not known counts as gone after a while', async () => {
    const database = openDatabase(':memory:', chainMigrations);
    const clock = new VirtualClock({ startAtMs: 1_800_000_000_000 });
    const states = new Map<string, BlockhashState>([['a', 'valid']]);
    const guard = new CosignGuard(
      new SqliteCosignRecord(database),
      clock,
      async ({ blockhash }) => states.get(blockhash) ?? 'valid',
    );
    expect(await guard.commit(of(1, 'a'))).toBe(true);
    expect(await guard.commit(of(1, 'b'))).toBe(true);
    expect(await guard.commit(of(2, 'c'))).toBe(false);
    expect(await guard.commit({ ...of(2, 'c'), version: 6n })).toBe(true);
    expect(await guard.commit({ ...of(2, 'c'), page: 1 })).toBe(true);
    states.set('a', 'expired');
    expect(await guard.commit(of(2, 'c'))).toBe(false);
    states.set('b', 'unfamiliar');
    expect(await guard.commit(of(2, 'c'))).toBe(false);
    clock.advanceNow(3_001);
    expect(await guard.commit(of(2, 'c'))).toBe(true);
    expect(await guard.commit(of(1, 'd'))).toBe(false);
    database.sqlite.close();
  });

  it('of two requests at the same moment one is taken', async () => {
    const database = openDatabase(':memory:', chainMigrations);
    const guard = new CosignGuard(
      new SqliteCosignRecord(database),
      new VirtualClock({ startAtMs: 1_800_000_000_000 }),
      async () => 'valid',
    );
    const taken = await Promise.all([1, 2, 3].map((digest) => guard.commit(of(digest, 'a'))));
    expect(taken).toEqual([true, false, false]);
    database.sqlite.close();
  });
});

describe('whose turn it is', () => {
  it('goes round the set by window and by time, from when there was something to do', () => {
    const turns = [0, 1, 2].map(() => new LeaderSchedule(1_000));
    const leaders = (what: string, window: number, nowMs: number) =>
      [0, 1, 2].filter((place) => turns[place]?.wait('1/0', what, window, { place, count: 3 }, nowMs) === 0);
    expect([0, 1, 2, 3].map((window) => leaders(`w${window}`, window, 5_000))).toEqual([[0], [1], [2], [0]]);
    expect(leaders('w9', 9, 50_000)).toEqual([0]);
    expect(leaders('w9', 9, 50_999)).toEqual([0]);
    expect(leaders('w9', 9, 51_000)).toEqual([1]);
    expect(leaders('w9', 9, 52_000)).toEqual([2]);
    expect(leaders('w9', 9, 53_000)).toEqual([0]);
    expect(new LeaderSchedule(1_000).wait('1/0', 'w1', 1, { place: 0, count: 3 }, 0)).toBe(500);
  });
});

describe('the capacity of a zone', () => {
  it.each([
    ['what a quarter of an hour and a tenth allow', 1_000n, [[275n, 1]], 0n, true],
    ['a watt-hour more', 1_000n, [[276n, 1]], 0n, false],
    ['a watt-hour more of import', 1_000n, [[-276n, 1]], 0n, false],
    ['within the step of the registers', 1_000n, [[276n, 1]], 1n, true],
    ['two windows at once', 1_000n, [[550n, 2]], 0n, true],
    [
      'homes that feed each other',
      1_000n,
      [
        [9_000n, 1],
        [-9_000n, 1],
      ],
      0n,
      true,
    ],
    ['nothing', 0n, [], 0n, true],
  ] as [string, bigint, [bigint, number][], bigint, boolean][])('%s', (_, capacityW, rises, step, isPlausible) => {
    const given = rises.map(([netWh, windows]) => ({ netWh, windows }));
    expect(capacityViolation(capacityW, given, step) === null).toBe(isPlausible);
  });
});

describe('over HTTP', () => {
  const got: Uint8Array[] = [];
  const answer = async (body: Uint8Array) => {
    got.push(body);
    return { status: 409, body: { refused: 'held' } };
  };
  const servers: Awaited<ReturnType<typeof serveService>>[] = [];
  const open = async (cosign: typeof answer | null) => {
    const server = await serveService(
      { host: '127.0.0.1', port: 0 },
      { time: () => new Uint8Array(), cosign },
      quietLog,
    );
    servers.push(server);
    return `http://127.0.0.1:${server.port}`;
  };
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  it('carries the bytes there and the answer back', async () => {
    const url = await open(answer);
    const body = fromHex('00ff10');
    expect(await askOverHttp({ oracle: KEY, attestor: KEY, url }, body)).toEqual({
      status: 409,
      body: { refused: 'held' },
    });
    expect(got).toEqual([body]);
    expect((await fetch(`${url}/cosign`)).status).toBe(405);
    expect((await fetch(`${url}/cosign`, { method: 'POST', body: new Uint8Array(65_537) })).status).toBe(413);
    expect(got).toHaveLength(1);
  });

  it('tells the time for a nonce of 16 bytes, and says so for any other', async () => {
    const url = `${await open(null)}/time`;
    const post = (bytes: number) => fetch(url, { method: 'POST', body: new Uint8Array(bytes) });
    expect((await post(16)).status).toBe(200);
    for (const bytes of [0, 15, 17]) {
      const response = await post(bytes);
      expect([response.status, await response.json()]).toEqual([400, { error: 'the body is a nonce of 16 bytes' }]);
    }
  });

  it('is not there for an oracle that attests alone, and a peer that is away is an error', async () => {
    const url = await open(null);
    expect((await fetch(`${url}/cosign`, { method: 'POST', body: 'x' })).status).toBe(404);
    await expect(
      askOverHttp({ oracle: KEY, attestor: KEY, url: 'http://127.0.0.1:1' }, fromHex('00')),
    ).rejects.toThrow();
  });
});
