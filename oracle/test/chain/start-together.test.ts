import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPublicKeyText } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { systemRandom } from '@gridtokenx/runtime/node/system';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { type ChainFixture, figures, reached, surfpoolFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { afterEach, expect, it } from 'vitest';
import type { Peer } from '../../src/adapters/chain/cosign/peer.js';
import { serveService } from '../../src/adapters/http/server.js';
import { inThread } from '../../src/adapters/sodium/in-thread.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { SqliteLedger } from '../../src/adapters/sqlite/ledger.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';
import { SqliteStatements } from '../../src/adapters/sqlite/views.js';
import { Intake } from '../../src/domain/intake/intake.js';
import { JUDGING } from '../../src/domain/verdicts/judging.js';
import { chainMigrations } from '../../src/wiring/chain.js';
import { type StartedChain, startChain } from '../support/chain.js';
import { ATTESTORS, IDENTITIES, statementOf } from './together-zone.js';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

/** One oracle as the application wires it, without MQTT. */
async function startOne(fixture: ChainFixture, place: number, peers: readonly Peer[], port: number) {
  const directory = mkdtempSync(join(tmpdir(), 'start-together-'));
  const key = join(directory, 'attestor.json');
  writeFileSync(key, JSON.stringify([...(ATTESTORS[place]?.secretKey ?? [])]), { mode: 0o600 });
  const database = openDatabase(join(directory, 'ledger.sqlite'), [...ledgerMigrations, ...chainMigrations]);
  const statements = new SqliteStatements(database.sqlite);
  const signer = IDENTITIES[place];
  if (!signer) throw new Error(`no oracle ${place}`);
  const common = { readingClock: systemClock, clock: systemClock, logger: quietLog };
  const chain: StartedChain = startChain({
    ...{ ...common, database, statements, randomness: systemRandom },
    options: {
      ...{ networkId: fixture.networkId, rpcUrl: fixture.rpcUrl ?? '', attestorKeyFile: key },
      ...{ graceMs: 0, commitment: 'confirmed', roundMs: 1_000 },
    },
    readingClock: { realTimeOf: () => Date.now() - 60_000 },
    cosign: {
      ...{ peers, threshold: 2, signer, verifier },
      exchange: (from, messages) => intake.exchange(from, messages, () => null),
    },
  });
  const { registry } = chain;
  const ledger = new SqliteLedger(database, registry, systemRandom, () => statements.changed(), JUDGING);
  const intake = new Intake({
    ...{ ...common, ledger, registry, verifier, checks: inThread(verifier), networkId: fixture.networkId },
    ...{ onStored: () => {}, onRegistry: () => {}, onVerified: () => {}, onCommit: () => {} },
  });
  const served = { time: () => new Uint8Array(), cosign: chain.cosign };
  const server = await serveService({ host: '127.0.0.1', port }, served, quietLog);
  await registry.refresh();
  chain.start();
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    await chain.stop();
    await server.close();
    database.sqlite.close();
    rmSync(directory, { recursive: true });
  };
  closers.push(stop);
  return { chain, intake, stop };
}

it('three oracles on a real node ask each other over HTTP; each has heard one meter; one goes away', async () => {
  const attestors = ATTESTORS.map(({ publicKey }) => publicKey);
  const fixture = await surfpoolFixture(3, [], { attestors, threshold: 2, capacityW: 1_000_000n });
  closers.push(() => fixture.close());
  const ports = [await freePort(), await freePort(), await freePort()];
  const all = ports.map((port, i): Peer => {
    const oracle = asPublicKeyText(IDENTITIES[i]?.publicKey ?? new Uint8Array(32));
    return {
      oracle,
      attestor: asPublicKeyText(attestors[i]?.toBytes() ?? new Uint8Array(32)),
      url: `http://127.0.0.1:${port}`,
    };
  });
  const oracles = await Promise.all(
    ports.map((port, i) =>
      startOne(
        fixture,
        i,
        all.filter((_, other) => other !== i),
        port,
      ),
    ),
  );
  const hear = (place: number, meter: number, window: number, wh: bigint) => {
    const { meterId, message } = statementOf(fixture, meter, window, wh);
    const gateway = new Uint8Array(32).fill(7);
    oracles[place]?.intake.receive({ gateway, meter: meterId, stream: 'backfill', bytes: message });
    oracles[place]?.intake.flush();
  };
  const shows = (wh: bigint) =>
    reached(
      `${wh} Wh each on chain and minted`,
      async () => (await figures(fixture)).slots.every((slot) => slot.exportWh === wh && slot.mintedWh === wh),
      40_000,
    );
  for (const meter of [0, 1, 2]) hear(meter, meter, 1, 100n);
  await shows(100n);
  await oracles[0]?.stop();
  for (const meter of [0, 1, 2]) hear(1, meter, 2, 150n);
  await shows(150n);
  const { supply, version } = await figures(fixture);
  expect(supply).toBe(450_000n);
  expect(version).toBeGreaterThanOrEqual(2n);
  const peers = oracles.slice(1).flatMap(({ chain }) => chain.settlements.chainState().peers ?? []);
  expect(peers.some(({ state }) => state === 'signs')).toBe(true);
  expect(peers.some(({ state }) => state.includes('FALSE'))).toBe(false);
});
