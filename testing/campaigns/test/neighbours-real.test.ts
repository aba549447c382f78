import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { base58Encode, sha256, toHex } from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node';
import { build, freePort, type Running, startProcess } from '@gridtokenx/testing-kit/processes';
import { Random } from '@gridtokenx/testing-kit/random';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { AttackParts } from '../src/neighbours/attacks/target.js';
import { ACTS } from '../src/neighbours/real/acts/index.js';
import { MESSAGE_ACTS } from '../src/neighbours/real/acts/messages.js';
import { ATTACKS, attackOf } from '../src/neighbours/real/attacks.js';
import { clockAfterAbsence, INITIAL_WINDOW } from '../src/neighbours/real/cast.js';
import { planOf } from '../src/neighbours/real/index.js';
import { SABOTAGES, sabotaged } from '../src/neighbours/real/sabotages.js';
import { Turncoat } from '../src/neighbours/real/turncoat.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Duration of each act here, in ms; the campaign runs each longer, beside a chain and real gateways. */
const ACT_MS = 400;
const NETWORK = '0102030405060708';
const WINDOW_MS = 900_000;
const seedOf = (name: string) => sha256(new TextEncoder().encode(name));
const meterIdOf = (name: string) => seedOf(`meter of ${name}`).slice(0, 16);
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('what a seed of the campaign is', () => {
  it('follows from its number, and all acts and attacks come up', () => {
    const plans = Array.from({ length: 60 }, (_, i) => planOf(i + 1));
    expect(planOf(7)).toEqual(plans[6]);
    expect(new Set(plans.flatMap(({ acts }) => acts))).toEqual(new Set(ACTS));
    const attacks = Array.from({ length: 14 }, (_, i) => attackOf(i + 1));
    expect(new Set(attacks.map(({ name }) => name))).toEqual(new Set(ATTACKS));
    expect(new Set(attacks.map(({ killed }) => killed))).toEqual(new Set(['broker', 'oracle']));
  });

  it('begins when the homes have been away for a week', () => {
    const clock = JSON.parse(clockAfterAbsence('{"version":1,"speed":1}')) as { reservedThroughMs: number };
    expect(INITIAL_WINDOW * WINDOW_MS - clock.reservedThroughMs).toBe(1_800_000);
    expect(Number.isInteger(INITIAL_WINDOW)).toBe(true);
  });
});

describe('one home against the real broker and oracle', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-neighbours-test-'));
  const path = (name: string) => join(folder, name);
  const services: Running[] = [];
  let urls: AttackParts['urls'];

  async function run(service: string): Promise<void> {
    services.push(await startProcess(`${service}/dist/main.js`, ['run', '--config', path(`${service}.json`)]));
  }

  function home(name: string, deadline: number): Turncoat {
    const key = (of: string) => sodiumSigner(seedOf(of));
    return new Turncoat({
      parts: {
        urls,
        broker: 'b',
        keys: { gateway: key(name), neighbour: key('neighbour').publicKey },
        deadline,
        clock: { now: () => Date.now(), sleep },
        random: (bytes) => new Uint8Array(randomBytes(bytes)),
      },
      random: new Random(1, name),
      now: () => Date.now(),
      meterSeed: seedOf(`meter of ${name}`),
      networkId: Buffer.from(NETWORK, 'hex'),
      meterId: meterIdOf(name),
      standing: { seq: 0n, prev: new Uint8Array(16), importWh: 0n, exportWh: 0n, window: firstWindow },
    });
  }

  const firstWindow = Math.floor(Date.now() / WINDOW_MS) - 700;
  const acts = Object.keys(MESSAGE_ACTS) as (keyof typeof MESSAGE_ACTS)[];

  beforeAll(async () => {
    build();
    const [mqtt, health, page, service] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const json = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value));
    const names = ['neighbour', ...acts];
    const keys = names.map((name) => ({ name, role: 'gateway', publicKey: sodiumSigner(seedOf(name)).publicKey }));
    keys.push({ name: 'oracle', role: 'oracle', publicKey: sodiumSigner(seedOf('oracle')).publicKey });
    const entries = keys.map((key) => ({ ...key, publicKey: base58Encode(key.publicKey), status: 'active' }));
    json('keys.json', { version: 1, keys: entries });
    const meters = names.map((name) => ({
      ...{
        meter_id: toHex(meterIdOf(name)),
        owner: base58Encode(seedOf('owner')),
        signer: 'gateway',
        role: 0,
        zone: 1,
      },
      key: base58Encode(sodiumSigner(seedOf(`meter of ${name}`)).publicKey),
      ...{ import_baseline_wh: '0', export_baseline_wh: '0', export_limit_w: 69_000, import_limit_w: 69_000 },
      enrolment_window: firstWindow,
    }));
    json('meters.json', { version: 1, meters });
    writeFileSync(path('key'), `${toHex(seedOf('oracle'))}\n`, { mode: 0o600 });
    const host = '127.0.0.1';
    json('broker.json', { name: 'b', host, port: mqtt, keysFile: 'keys.json', http: { host, port: health } });
    json('oracle.json', {
      ...{ network_id: NETWORK, data_dir: 'data', key_file: 'key', meters_file: 'meters.json' },
      ...{
        broker: { url: `mqtt://${host}:${mqtt}`, name: 'b' },
        page: { port: page },
        service: { host, port: service },
      },
    });
    urls = { mqtt: `mqtt://${host}:${mqtt}`, page: `http://${host}:${page}`, service: `http://${host}:${service}` };
    await run('broker');
    await run('oracle');
    while ((await fetch(`${urls.page}/readyz`)).status !== 200) await sleep(20);
  });
  afterAll(() => {
    for (const service of services) service.child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it('does whatever its key lets it do, and its neighbour has every reading verified', async () => {
    const neighbour = home('neighbour', Number.POSITIVE_INFINITY);
    let isOver = false;
    let said = 0;
    const honest = (async () => {
      for (; !isOver; said++) {
        neighbour.exportWh += 1n;
        await neighbour.send('reading', [neighbour.reading()]);
        await sleep(100);
      }
    })();
    for (const act of acts) {
      // A busy machine may sign nothing in so short a time.
      for (const ms of [ACT_MS, 20 * ACT_MS]) {
        const hostile = home(act, Date.now() + ms);
        await MESSAGE_ACTS[act](hostile);
        hostile.close();
        if (hostile.sent > 0) break;
        expect(ms, act).toBe(ACT_MS);
      }
      expect((await fetch(`${urls.page}/readyz`)).ok, act).toBe(true);
    }
    isOver = true;
    await honest;
    const stated = async () => {
      const { meters } = (await (await fetch(`${urls.page}/api/v1/state`)).json()) as {
        meters: { meter_id: string; verdicts: Record<string, number> }[];
      };
      return meters.find(({ meter_id }) => meter_id === toHex(meterIdOf('neighbour')))?.verdicts;
    };
    await expect.poll(stated, { timeout: 10_000 }).toEqual({ verified: said });
    neighbour.close();
  });
});

describe('a limit that is taken away', () => {
  it.each(Object.entries(SABOTAGES))('still has its place in the built module: %s', (_name, { changes, acts }) => {
    for (const act of acts) expect(ACTS).toContain(act);
    for (const change of changes) {
      const text = readFileSync(join(ROOT, change.module), 'utf8');
      expect(sabotaged(text, [change])).not.toBe(text);
    }
  });
});
