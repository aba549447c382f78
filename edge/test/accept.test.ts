import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asMeterId } from '@gridtokenx/protocol';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AcceptRequests } from '../src/adapters/accept/requests.js';
import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { acceptRegister } from '../src/cli/accept-command.js';
import { answerAccepts } from '../src/wiring/accepts.js';
import type { GatewayConfig } from '../src/wiring/config.js';
import { keyStore, plateOf } from '../src/wiring/setup.js';

/** Moves the clock until a promise settles, whose work includes the real disk. */
async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<T | undefined> {
  let value: T | undefined;
  void promise.then((found) => {
    value = found;
  });
  await expect
    .poll(
      async () => {
        await clock.advance(1_000);
        return value;
      },
      { timeout: 10_000, interval: 5 },
    )
    .toBeDefined();
  return value;
}

const METER = asMeterId('00112233445566778899aabbccddeeff');
const OTHER = asMeterId('ff112233445566778899aabbccddeeff');

describe('requests in the state folder', () => {
  test('are answered once, and a new request forgets the old answer', async () => {
    const disk = new CrashDisk();
    const requests = new AcceptRequests(disk, '/state');
    expect(await requests.waiting()).toEqual([]);
    await requests.ask({ meterId: METER, reason: 'reset by the electrician' });
    expect(await requests.answer(METER)).toBeNull();
    expect(await requests.waiting()).toEqual([{ meterId: METER, reason: 'reset by the electrician' }]);
    await requests.settle(METER, { problem: 'nothing to accept' });
    expect(await requests.waiting()).toEqual([]);
    expect(await requests.answer(METER)).toEqual({ problem: 'nothing to accept' });
    await requests.ask({ meterId: METER, reason: 'again' });
    expect(await requests.answer(METER)).toBeNull();
  });

  test.each(['', '{', 'null', '[]', '{"version":2,"reason":"x"}', '{"version":1}', '{"version":1,"reason":""}'])(
    'that are damaged (%s) are answered with that',
    async (content) => {
      const disk = new CrashDisk();
      const requests = new AcceptRequests(disk, '/state');
      await disk.replace(`/state/accept-${METER}.json`, Buffer.from(content));
      await disk.replace('/state/accept-zz.json', Buffer.from('{}'));
      expect(await requests.waiting()).toEqual([]);
      expect((await requests.answer(METER))?.problem).toContain('is damaged');
    },
  );

  test('reach their meter; the gateway answers for a meter that it has not', async () => {
    const disk = new CrashDisk();
    const clock = new VirtualClock();
    const requests = new AcceptRequests(disk, '/state');
    const reasons: string[] = [];
    const meter = {
      id: METER,
      mustBeRead: false,
      accept: async (reason: string) => {
        reasons.push(reason);
        return null;
      },
    };
    const stop = new AbortController();
    const done = answerAccepts([meter], { disk, dir: '/state', clock, log: quietLog }, stop.signal);
    await requests.ask({ meterId: METER, reason: `${'long '.repeat(100)}` });
    await requests.ask({ meterId: OTHER, reason: 'b' });
    await clock.advance(2_500);
    expect(reasons.map((reason) => reason.length)).toEqual([200]);
    expect(await requests.answer(METER)).toEqual({ problem: null });
    expect((await requests.answer(OTHER))?.problem).toBe('the running gateway has no such meter');
    stop.abort();
    await clock.advance(2_500);
    await done;
  });
});

test('a request of another user is answered with that, and others are answered', async () => {
  const disk = new CrashDisk();
  const requests = new AcceptRequests(disk, '/state');
  await requests.ask({ meterId: METER, reason: 'reset' });
  await requests.ask({ meterId: OTHER, reason: 'reset' });
  const denied = {
    ...{ list: disk.list.bind(disk), replace: disk.replace.bind(disk), remove: disk.remove.bind(disk) },
    read: async (path: string) => {
      if (path === `/state/accept-${METER}.json`) throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
      return disk.read(path);
    },
  };
  expect(await new AcceptRequests(denied, '/state').waiting()).toEqual([{ meterId: OTHER, reason: 'reset' }]);
  expect((await requests.answer(METER))?.problem).toContain('run it as the user of the gateway');
  expect((await requests.waiting()).map(({ meterId }) => meterId)).toEqual([OTHER]);
});

test('a disk that fails is told once, and the request is answered when it works', async () => {
  const [disk, clock, stop] = [new CrashDisk(), new VirtualClock(), new AbortController()];
  const told: string[] = [];
  let isFailing = true;
  const failing = new Proxy(disk, {
    get: (of, key) => {
      if (key === 'list' && isFailing) return () => Promise.reject(new Error('EIO'));
      const value = Reflect.get(of, key);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
  const requests = new AcceptRequests(disk, '/state');
  await requests.ask({ meterId: METER, reason: 'reset' });
  const log = { ...quietLog, warn: ({ event }: { event?: unknown }) => void told.push(String(event)) };
  const meter = { id: METER, mustBeRead: false, accept: async () => null };
  const done = answerAccepts([meter], { disk: failing, dir: '/state', clock, log }, stop.signal);
  await clock.advance(60_000);
  expect(told).toEqual(['accept_failed']);
  isFailing = false;
  await clock.advance(2_500);
  expect(await requests.answer(METER)).toEqual({ problem: null });
  stop.abort();
  await clock.advance(2_500);
  await done;
});

describe('a request for a meter that was not read since the start', () => {
  const begin = () => {
    const [disk, clock, stop] = [new CrashDisk(), new VirtualClock(), new AbortController()];
    const requests = new AcceptRequests(disk, '/state');
    const meter = { id: METER, mustBeRead: true, accept: async () => (meter.mustBeRead ? 'not read twice' : null) };
    const done = answerAccepts([meter], { disk, dir: '/state', clock, log: quietLog }, stop.signal);
    const end = async () => {
      stop.abort();
      await clock.advance(2_500);
      await done;
    };
    return { clock, requests, meter, end };
  };

  test('waits for two reads', async () => {
    const { clock, requests, meter, end } = begin();
    await requests.ask({ meterId: METER, reason: 'reset' });
    await clock.advance(60_000);
    expect(await requests.answer(METER)).toBeNull();
    meter.mustBeRead = false;
    await clock.advance(2_500);
    expect(await requests.answer(METER)).toEqual({ problem: null });
    await end();
  });

  test('is answered after an hour, and the next one waits again', async () => {
    const { clock, requests, end } = begin();
    for (const reason of ['reset', 'again']) {
      await requests.ask({ meterId: METER, reason });
      await clock.advance(3_500_000);
      expect(await requests.answer(METER)).toBeNull();
      await clock.advance(110_000);
      expect((await requests.answer(METER))?.problem).toBe('not read twice');
    }
    await end();
  });
});

describe('accept-register', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let config: GatewayConfig;
  beforeEach(async () => {
    directory = temporaryDirectory();
    const meter = { name: 'house', manufacturer: 'Eastron', model: 'SDM630', serial: '4711' };
    config = { network_id: '0011223344556677', data_dir: directory.path, meters: [meter] } as unknown as GatewayConfig;
    mkdirSync(join(directory.path, 'state'));
    await keyStore(config).meter('house', plateOf(meter as never), true);
  });
  afterEach(() => directory.remove());

  test('refuses a reason that says nothing and a meter that there is not, in one line', async () => {
    const of = (meter: string, reason: string) => acceptRegister(config, { meter, reason });
    await expect(of('house', '  ')).rejects.toThrow('--reason: expected 1 to 200 characters');
    await expect(of('house', 'x'.repeat(201))).rejects.toThrow('--reason');
    await expect(of('hut', 'x')).rejects.toThrow('there is no meter "hut": the configuration has house');
  });

  test.each([
    [null, 'meter house: accepted; its count goes on from the last good registers'],
    ['its registers go on', 'meter house: its registers go on'],
  ])('says what the gateway answers (%s)', async (problem, words) => {
    const clock = new VirtualClock();
    const dir = join(directory.path, 'state');
    const asked = acceptRegister(config, { meter: 'house', reason: 'the electrician reset it' }, { clock }).catch(
      (error: Error) => error.message,
    );
    const requests = new AcceptRequests(nodeDisk, dir);
    await expect.poll(async () => (await requests.waiting()).length).toBe(1);
    const [request] = await requests.waiting();
    await requests.settle(request?.meterId ?? METER, { problem });
    expect(await settled(clock, asked)).toContain(words);
  });

  test('leaves the request for the next start where no gateway runs', async () => {
    const clock = new VirtualClock();
    const asked = acceptRegister(config, { meter: 'house', reason: 'a new display' }, { clock });
    expect(await settled(clock, asked)).toContain('the request is stored');
    const [name] = readdirSync(join(directory.path, 'state'));
    expect(JSON.parse(readFileSync(join(directory.path, 'state', name ?? ''), 'utf8'))).toEqual({
      version: 1,
      reason: 'a new display',
    });
  });
});
