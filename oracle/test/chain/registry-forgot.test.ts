import { pda } from '@gridtokenx/chain-client';
import { fromHex } from '@gridtokenx/protocol';
import { ZONE } from '@gridtokenx/testing-kit/oracle/deployment';
import { liteFixture } from '@gridtokenx/testing-kit/oracle/fixtures';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import type { Connection } from '@solana/web3.js';
import { expect, it } from 'vitest';
import { RpcRegistry } from '../../src/adapters/chain/registry.js';
import { admit } from '../../src/domain/intake/admit.js';
import { said } from './disputes-harness.js';

it('a registry that forgot its meters is named, asked rarely, and turns no verdict final', async () => {
  const fixture = await liteFixture(2);
  const accounts = fixture.meters.map(({ meterId }) => {
    const pubkey = pda.meter(ZONE, fromHex(meterId));
    return { pubkey, account: fixture.lite.chain.account(pubkey) };
  });
  let shown = accounts;
  let isAway = false;
  let asked = 0;
  const connection = {
    getProgramAccounts: async () => {
      asked++;
      if (isAway) throw new Error('ECONNREFUSED');
      return { context: { slot: asked }, value: shown };
    },
  } as unknown as Connection;
  let ms = 1_000_000;
  const clock = { nowMs: () => ms, monotonicMs: () => ms, after: () => () => {} };
  const log: string[] = [];
  const note = (_: object, message: string) => void log.push(message);
  const logger = { debug: note, info: note, warn: note, error: note };
  const registry = new RpcRegistry(connection, clock, logger, [], null);
  await registry.refresh();
  const before = registry.asOf;
  expect([registry.problem, before.fetchedAtMs]).toEqual([null, ms]);

  shown = [];
  ms += 10_000;
  await registry.refresh();
  expect(registry.problem).toContain('the registry forgot 2 of 2 meters');
  expect(registry.meters().length).toBe(2);
  expect(registry.asOf).toEqual(before);
  // Signed by another meter's key: final once the registry is newer than the message, and here it is not.
  const message = said(fixture, 0, 1, 100n);
  const forged = Uint8Array.from(message);
  forged[170] = (forged[170] ?? 0) ^ 1;
  const judged = admit(forged, ms, fixture.networkId, registry, verifier);
  expect('rejected' in judged && judged.rejected.verdict.settled).toBe(false);
  expect('admitted' in admit(message, ms, fixture.networkId, registry, verifier)).toBe(true);
  // A thousand messages that wait ask it a few times, not a thousand.
  asked = 0;
  for (let i = 0; i < 1_000; i++) {
    ms += 10;
    await registry.refresh();
  }
  expect(asked).toBeLessThanOrEqual(4);

  shown = accounts;
  ms += 10_000;
  await registry.refresh();
  expect([registry.problem, registry.asOf.fetchedAtMs]).toEqual([null, ms]);
  expect(log.filter((line) => line.includes('forgot')).length).toBe(1);
  expect(log.at(-1)).toBe('The registry shows every known meter again');

  // A node that is away is asked as rarely.
  [isAway, asked] = [true, 0];
  ms += 10_000;
  for (let i = 0; i < 1_000; i++) {
    ms += 10;
    await registry.refresh().catch(() => {});
  }
  expect(asked).toBeLessThanOrEqual(4);
  expect(registry.asOf.fetchedAtMs).toBeLessThan(ms);

  // After a restart the ledger knows which meters there were: acks go out, finals wait.
  const again = new RpcRegistry(
    connection,
    clock,
    logger,
    fixture.meters.map(({ meterId }) => meterId),
    null,
  );
  [isAway, shown] = [false, []];
  await again.refresh();
  expect(again.problem).toContain('forgot 2 of 2');
  expect(again.asOf.fetchedAtMs).toBe(1);
});
