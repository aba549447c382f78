import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChainConfig } from '@gridtokenx/devnet/chain/config';
import { Generations } from '@gridtokenx/devnet/chain/generations';
import { checkDataIn } from '@gridtokenx/devnet/start/data-folder';
import { Deployment } from '@gridtokenx/devnet/start/deployment';
import { toHex } from '@gridtokenx/protocol';
import { forkProcess, freePort } from '@gridtokenx/testing-kit/processes';
import { Connection, Keypair } from '@solana/web3.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chainOf } from '../support/health/others.js';
import { startAll } from '../support/start-process.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chain-process-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the chain's process as the start does. */
async function chain(config: ChainConfig) {
  const file = join(folder, 'config.json');
  writeFileSync(file, JSON.stringify(config));
  const { ready, output, exited, kill } = forkProcess('tools/devnet/dist/chain/main.js', ['--config', file]);
  const ended = exited.then(({ code }) => code);
  const health = async () =>
    (await (await fetch(`http://127.0.0.1:${config.httpPort}/readyz`)).json()) as { ok: boolean; problems: string[] };
  const snapshot = () => fetch(`http://127.0.0.1:${config.httpPort}/snapshot`, { method: 'POST' });
  const stop = () => kill('SIGTERM');
  return { isReady: (await ready) !== null, output, ended, health, snapshot, stop };
}

it('a lost snapshot is refused, a damaged one falls back to the one before, and health says which', async () => {
  const parties = {
    authority: Keypair.generate(),
    utility: Keypair.generate(),
    installer: Keypair.generate(),
    attestor: Keypair.generate(),
  };
  const [rpcPort, wsPort, httpPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const snapshotPath = join(folder, 'chain', 'snapshot.json');
  const config: ChainConfig = {
    ...{ host: '127.0.0.1', rpcPort, wsPort, httpPort, snapshotPath, folder, wallets: [] },
    authority: parties.authority.publicKey.toBase58(),
  };
  const first = await chain(config);
  expect(first.isReady, first.output()).toBe(true);
  const deployment = new Deployment(new Connection(`http://127.0.0.1:${rpcPort}`, 'confirmed'), parties);
  await deployment.fund(Object.values(parties).map(({ publicKey }) => publicKey));
  const networkId = toHex(await deployment.initialise());
  for (let i = 0; i < 2; i++) expect((await first.snapshot()).status).toBe(200);
  expect(await first.health()).toMatchObject({ ok: true, problems: [] });
  await first.stop();

  writeFileSync(snapshotPath, readFileSync(snapshotPath).subarray(0, 2_000));
  const second = await chain({ ...config, networkId });
  expect(second.isReady, second.output()).toBe(true);
  expect((await second.health()).problems).toEqual([
    `${snapshotPath} is truncated or changed`,
    `the chain continues from ${snapshotPath}.previous`,
  ]);
  expect((await second.snapshot()).status).toBe(200);
  expect(await second.health()).toMatchObject({ ok: true, problems: [] });
  await second.stop();

  for (const name of readdirSync(join(folder, 'chain'))) rmSync(join(folder, 'chain', name));
  const third = await chain({ ...config, networkId });
  expect(third.isReady).toBe(false);
  expect(await third.ended).toBe(2);
  expect(third.output().trim()).toBe(
    `${snapshotPath} is not there, and ${folder} was made for network ${networkId}; restore it from a backup, ` +
      `or delete ${folder} to begin a new chain`,
  );
  expect(readdirSync(join(folder, 'chain'))).toEqual([]);
}, 60_000);

it.each([
  ['whose chain is lost', null, /was made for network 0011223344556677; restore it from a backup, or delete/],
  [
    'of an earlier version',
    '{"format":1,"slot":1,"takenAtMs":1,"accounts":[]}',
    /snapshot\.json: made by an earlier version; give another --data, or delete/,
  ],
])(
  'npm start with a folder %s: one line, exit code 2, nothing touched',
  async (_, snapshot, words) => {
    const data = join(folder, 'data');
    for (const name of ['oracle', 'chain']) mkdirSync(join(data, name), { recursive: true });
    writeFileSync(join(data, 'oracle', 'config.yaml'), 'network_id: "0011223344556677"\n');
    if (snapshot) writeFileSync(join(data, 'chain', 'snapshot.json'), snapshot);
    const seen = () =>
      readdirSync(data, { recursive: true, encoding: 'utf8' }).map((name) => [
        name,
        statSync(join(data, name)).mtimeMs,
      ]);
    const before = seen();
    const start = startAll(['--data', data, '--ports', String(25_000)]);
    expect((await start.exited).code).toBe(2);
    expect(start.lines.length).toBe(1);
    expect(start.lines[0]).toMatch(words);
    expect(seen()).toEqual(before);
  },
  30_000,
);

describe('a folder that lost a part of itself', () => {
  const data = () => join(folder, 'data');
  /** Writes the files of a deployment; the chain's snapshot is an empty one of no network. */
  function whole(): void {
    for (const name of ['oracle', 'chain', 'keys']) mkdirSync(join(data(), name), { recursive: true });
    const clock = { version: 1, speed: 1, anchorSimMs: 0, anchorRealMs: 0, reservedThroughMs: 0, segments: [] };
    writeFileSync(join(data(), 'clock.json'), JSON.stringify(clock));
    for (const name of ['authority', 'utility', 'installer', 'attestor']) {
      writeFileSync(join(data(), 'keys', `${name}.json`), '[]');
    }
  }
  const deployed = () => {
    writeFileSync(join(data(), 'oracle', 'config.yaml'), 'network_id: "0101010101010101"\n');
    new Generations(join(data(), 'chain', 'snapshot.json')).write(chainOf(1));
  };

  it('the control: a whole one, a new one and none at all are taken', () => {
    expect(() => checkDataIn(data())).not.toThrow();
    whole();
    expect(() => checkDataIn(data())).not.toThrow();
    deployed();
    expect(() => checkDataIn(data())).not.toThrow();
  });

  it.each([
    ['clock.json', /clock\.json: is not there, and .* was made for network 0101010101010101/],
    ['keys/attestor.json', /attestor\.json: is not there/],
    ['chain/snapshot.json', /snapshot\.json is not there/],
  ])('without %s: refused in one line', (name, words) => {
    whole();
    deployed();
    rmSync(join(data(), name));
    expect(() => checkDataIn(data())).toThrow(words);
  });

  it.each(['', '{', '{"version":2}'])('a clock of %j: refused in one line', (text) => {
    whole();
    writeFileSync(join(data(), 'clock.json'), text);
    expect(() => checkDataIn(data())).toThrow(
      /clock\.json: is truncated or changed; restore it from a backup, or delete/,
    );
  });
});
