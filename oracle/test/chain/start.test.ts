import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asMeterId } from '@gridtokenx/protocol';
import type { Clock } from '@gridtokenx/runtime/core';
import { attestor } from '@gridtokenx/testing-kit/oracle/deployment';
import {
  type ChainFixture,
  figures,
  reached,
  type Saved,
  surfpoolFixture,
} from '@gridtokenx/testing-kit/oracle/fixtures';
import { TestStatements, W } from '@gridtokenx/testing-kit/oracle/page-settler-harness';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/adapters/sqlite/database.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { chainMigrations } from '../../src/wiring/chain.js';
import { type StartedChain, type StartOptions, startChain } from '../support/chain.js';

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

let fixture: ChainFixture;
let clean: Saved;
let dir: string;
let database: Database;
let statements: TestStatements;
let chain: StartedChain | null;
let snapshots: { failing: boolean; taken: number };
let snapshotServer: Server;
let log: string[];

beforeAll(async () => {
  fixture = await surfpoolFixture(2);
  clean = await fixture.save();
});
afterAll(() => fixture.close());

beforeEach(async () => {
  await fixture.restore(clean);
  dir = mkdtempSync(join(tmpdir(), 'chain-'));
  writeFileSync(join(dir, 'attestor.json'), JSON.stringify([...attestor.secretKey]), { mode: 0o600 });
  database = openDatabase(join(dir, 'ledger.sqlite'), chainMigrations);
  statements = new TestStatements();
  snapshots = { failing: false, taken: 0 };
  log = [];
  chain = null;
  snapshotServer = createServer((request, response) => {
    if (request.method !== 'POST' || snapshots.failing) response.writeHead(503).end('{"error":"busy"}');
    else response.writeHead(200).end(JSON.stringify({ slot: 1000 + ++snapshots.taken }));
  });
  await new Promise<void>((resolve) => snapshotServer.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await chain?.stop();
  snapshotServer.close();
  database.sqlite.close();
  rmSync(dir, { recursive: true });
});

async function start(change: Partial<StartOptions> = {}): Promise<StartedChain> {
  const { port } = snapshotServer.address() as AddressInfo;
  const note = (_fields: object, message: string) => void log.push(message);
  const closedAtMs = Date.now() - 60_000;
  chain = startChain({
    options: {
      networkId: fixture.networkId,
      rpcUrl: fixture.rpcUrl ?? '',
      attestorKeyFile: join(dir, 'attestor.json'),
      snapshotUrl: `http://127.0.0.1:${port}/snapshot`,
      graceMs: 0,
      commitment: 'confirmed',
      ...change,
    },
    database,
    statements,
    readingClock: { realTimeOf: () => closedAtMs },
    clock,
    randomness: { bytes: (n) => new Uint8Array(n), fraction: () => 0.5 },
    logger: { debug: note, info: note, warn: note, error: note },
  });
  chain.start();
  return chain;
}

function put(window: number, first: bigint, second: bigint): void {
  for (const [i, wh] of [first, second].entries()) {
    const meter = fixture.meters[i];
    if (meter) statements.put(meter, W(window), wh, wh);
  }
}

const settled = (count: number) =>
  reached(`${count} settlements`, () => (chain?.settlements.after(0, 100).length ?? 0) >= count);

describe('startSettlement on a real node', () => {
  it('reads the registry, settles what arrives, takes snapshots and shows it all', async () => {
    const { registry, settlements, attestor: shown } = await start();
    expect(shown).toBe(attestor.publicKey.toBase58());
    await reached('the registry', () => registry.meters().length === 2);
    expect(registry.asOf.fetchedAtMs).toBeGreaterThan(0);
    expect(registry.meter(asMeterId(fixture.meters[0]?.meterId ?? ''))).toEqual(fixture.meters[0]);
    put(1, 100n, 30n);
    await settled(2);
    put(2, 150n, 30n);
    await settled(4);
    await reached('idle', () => settlements.chainState().sender === 'idle' && settlements.chainState().pending === 0);
    const got = await figures(fixture);
    expect([got.supply, got.version]).toEqual([180_000n, 2n]);
    const rows = settlements.after(0, 100);
    expect(rows.reduce((sum, row) => sum + row.mintedBaseUnits, 0n)).toBe(180_000n);
    expect(rows.every((row) => row.closeToMintMs === null || row.closeToMintMs >= 60_000)).toBe(true);
    expect(settlements.after(rows[1]?.id ?? 0, 100)).toEqual(rows.slice(2));
    const totals = settlements.totalsOf(asMeterId(fixture.meters[0]?.meterId ?? ''));
    expect(totals).toMatchObject({ window: W(2), exportWh: 150n, importWh: 150n, mintedBaseUnits: 150_000n });
    expect(new Set(totals?.transactions).size).toBe(4);
    await reached('a snapshot', () => snapshots.taken > 0 && settlements.chainState().lastSnapshotChainSlot !== null);
  });

  it('a failed snapshot is said and tried after the next window; a clean stop takes one', async () => {
    snapshots.failing = true;
    await start();
    put(1, 10n, 10n);
    await settled(2);
    await reached('the failure', () => log.some((line) => line.includes('no snapshot')));
    expect(snapshots.taken).toBe(0);
    snapshots.failing = false;
    await chain?.stop();
    expect(snapshots.taken).toBe(1);
    chain = null;
  });

  it('waits for a node that is away, says so, and goes on', async () => {
    const target = new URL(fixture.rpcUrl ?? '');
    const probe = createTcp().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const { settlements } = await start({ rpcUrl: `http://127.0.0.1:${port}` });
    put(1, 10n, 20n);
    await reached('waiting', () => settlements.chainState().sender.startsWith('waiting for the node'));
    const { connect } = await import('node:net');
    const proxy = createTcp((socket) => {
      const upstream = connect(Number(target.port), target.hostname);
      socket.pipe(upstream).pipe(socket);
      for (const end of [socket, upstream]) end.on('error', () => [socket, upstream].forEach((s) => void s.destroy()));
    }).listen(port, '127.0.0.1');
    await settled(2);
    expect((await figures(fixture)).supply).toBe(30_000n);
    await chain?.stop();
    chain = null;
    proxy.close();
  });

  it('sends nothing to another network', async () => {
    const { settlements } = await start({ networkId: new Uint8Array(8) });
    put(1, 10n, 20n);
    await reached('the mismatch', () => settlements.chainState().sender.includes('nothing is sent'));
    expect((await figures(fixture)).version).toBe(0n);
  });

  it('names a key file that is none', async () => {
    writeFileSync(join(dir, 'attestor.json'), '[1,2,3]');
    await expect(start()).rejects.toThrow(/attestor\.json: attestor key: not a key pair as a JSON array of 64 bytes/);
  });

  it.skipIf(process.platform === 'win32')(
    'refuses a key file that group or others may read, and takes it back',
    async () => {
      const file = join(dir, 'attestor.json');
      for (const mode of [0o640, 0o604, 0o620, 0o601]) {
        chmodSync(file, mode);
        const words = `${file}: others may read this attestor key (mode 0${mode.toString(8)}); chmod 600 it, `;
        await expect(start()).rejects.toThrow(words);
      }
      chmodSync(file, 0o400);
      expect((await start()).attestor).toBe(attestor.publicKey.toBase58());
    },
  );
});
