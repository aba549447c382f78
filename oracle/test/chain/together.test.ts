import { MAX_TRANSACTION_BYTES } from '@gridtokenx/chain-client';
import { asMeterId, asWh } from '@gridtokenx/protocol';
import { figures } from '@gridtokenx/testing-kit/oracle/fixtures';
import { FakeRegistry } from '@gridtokenx/testing-kit/signed-journal';
import { VersionedTransaction } from '@solana/web3.js';
import { afterEach, describe, expect, it } from 'vitest';
import { SqliteSettlementArchive } from '../../src/adapters/sqlite/settlement-archive.js';
import type { TransactionBuilder } from '../../src/domain/settlement/ports.js';
import { SettlementViews } from '../../src/domain/settlement/views.js';
import { Three } from './together.js';
import { ATTESTORS, blindly, rigOfThree } from './together-zone.js';

let three: Three;
afterEach(() => three.close());

const start = async (meters = 3, capacityW?: bigint) => {
  three = new Three(await rigOfThree(meters, capacityW));
  return three;
};

/** Proposes and would sign 500 Wh more than any meter said. */
function lying(builder: TransactionBuilder): TransactionBuilder {
  return {
    mintPage: (...args) => builder.mintPage(...args),
    mintMeter: (...args) => builder.mintMeter(...args),
    attest: (read, window, entries, nonce) =>
      builder.attest(
        read,
        window,
        entries.map((entry) => ({ ...entry, exportWh: asWh(entry.exportWh + 500n) })),
        nonce,
      ),
  };
}

const falsehoods = (told: number, about: number) => three.node(told).stateOf(about).includes('FALSE');

describe('three oracles with ledgers of their own, two of which must sign', () => {
  it('attest window after window exactly, with changing leaders and two signatures in 1,232 bytes', async () => {
    await start();
    for (let n = 1; n <= 6; n++) {
      three.window(n, (i) => BigInt(n * 100 + i));
      await three.settled();
    }
    const isResolved = () => three.nodes.every((node) => node.intents().every((intent) => !intent.endsWith('open')));
    await three.run(isResolved, 'nothing is open');
    const attested = three.nodes.map((node) => node.intents().filter((intent) => intent === 'attest landed').length);
    expect(attested).toEqual([2, 2, 2]);
    const signers = new Set<string>();
    for (const node of three.nodes) {
      const rows = node.database.sqlite.prepare("SELECT raw FROM chain_intents WHERE kind = 'attest'").all();
      for (const { raw } of rows as unknown as { raw: Uint8Array }[]) {
        expect(raw.length).toBeLessThanOrEqual(MAX_TRANSACTION_BYTES);
        const { message, signatures } = VersionedTransaction.deserialize(raw);
        expect(signatures).toHaveLength(2);
        for (const key of message.staticAccountKeys.slice(0, 2)) signers.add(key.toBase58());
      }
    }
    expect([...signers].sort()).toEqual(ATTESTORS.map(({ publicKey }) => publicKey.toBase58()).sort());
    expect(three.nodes.flatMap((node) => node.intents()).filter((intent) => !intent.endsWith('landed'))).toEqual([]);
    expect((await figures(three.fixture)).version).toBe(6n);
  });

  it('go on without one that is silent, and name it', async () => {
    await start();
    three.node(1).isSilent = true;
    for (let n = 1; n <= 4; n++) {
      three.window(n, (i) => BigInt(n * 70 + i), [0, 2]);
      await three.settled();
    }
    expect([0, 2].some((place) => three.node(place).stateOf(1).includes('silent'))).toBe(true);
    three.node(1).isSilent = false;
    three.node(1).start();
    three.window(5, () => 500n);
    await three.settled();
    expect((await figures(three.fixture)).version).toBe(5n);
  });

  it('refuse a leader that proposes other totals, name it, and attest the truth without it', async () => {
    await start();
    three.node(1).bendBuilder = lying;
    three.node(1).start();
    for (let n = 1; n <= 4; n++) {
      three.window(n, (i) => BigInt(n * 100 + i));
      await three.settled();
    }
    expect(three.answers.filter(({ refused }) => refused === 'totals').length).toBeGreaterThan(0);
    expect(falsehoods(0, 1) || falsehoods(2, 1)).toBe(true);
    const shown = [0, 2].flatMap((place) => {
      const { database, together } = three.node(place);
      const driver = {
        ...{ state: 'idle', lastSnapshotChainSlot: null, failure: null, snapshotFailure: null, stalled: null },
        ...{ settlers: () => [], disputes: () => ({ cases: [], failure: null }) },
      };
      const views = new SettlementViews({
        archive: new SqliteSettlementArchive(database),
        ...{ registry: new FakeRegistry(), driver },
        peers: () => together.peers.view(),
        statements: { newest: () => undefined },
        balanceLamports: () => null,
      });
      return views.chainState().problems ?? [];
    });
    expect(shown.length).toBeGreaterThan(0);
    for (const line of shown) expect(line).toContain(`oracle ${three.peerAt(1).oracle}: `);
    expect(falsehoods(0, 2) || falsehoods(2, 0)).toBe(false);
    expect(
      three
        .node(1)
        .intents()
        .filter((intent) => intent.startsWith('attest')),
    ).toEqual([]);
  });

  it('do not take a signature over something else, and name whose it was', async () => {
    await start();
    three.node(1).bend = () => ({ status: 200, body: { signature: '1'.repeat(64) } });
    for (let n = 1; n <= 4; n++) {
      three.window(n, (i) => BigInt(n * 100 + i));
      await three.settled();
    }
    expect(falsehoods(0, 1) || falsehoods(2, 1)).toBe(true);
  });

  it('with two lying of three, the honest one signs nothing and attests nothing', async () => {
    await start(2);
    for (const liar of [0, 1]) {
      three.node(liar).bendBuilder = lying;
      three.node(liar).bend = () => ({ status: 409, body: { refused: 'totals', detail: 'for spite' } });
      three.node(liar).start();
    }
    three.window(1, () => 100n);
    const end = three.clock.nowMs() + 60_000;
    await three.run(() => three.clock.nowMs() > end, 'a minute', 120_000);
    expect((await figures(three.fixture)).version).toBe(0n);
    expect(three.answers.filter(({ to, status }) => to === 2 && status === 200)).toEqual([]);
    expect(falsehoods(2, 0) && falsehoods(2, 1)).toBe(true);
  });

  it('control: one that signs without checking lets a wrong total through, and that is noticed', async () => {
    await start(2);
    three.node(0).bendBuilder = lying;
    three.node(0).start();
    for (const place of [1, 2]) three.node(place).bend = blindly(place);
    three.window(1, () => 100n);
    await expect(three.settled()).rejects.toThrow(/slot 0 shows 600 Wh, the meter signed 100/);
  });

  it('control: without a second signature nothing is attested at all', async () => {
    await start(1);
    three.node(1).isSilent = true;
    three.node(2).isSilent = true;
    three.window(1, () => 100n, [0]);
    const end = three.clock.nowMs() + 60_000;
    await three.run(() => three.clock.nowMs() > end, 'a minute', 120_000);
    expect((await figures(three.fixture)).version).toBe(0n);
    expect(three.node(0).settler.problems().join()).toMatch(/0 of 1 co-signers can be asked/);
  });
});

describe('ledgers that differ', () => {
  it('are healed both ways before anything is signed', async () => {
    await start(3);
    // Each oracle has heard one meter only.
    for (const n of [1, 2]) {
      for (const i of [0, 1, 2]) three.statement(i, n, BigInt(n * 50 + i), [(i + n) % 3]);
      await three.settled();
    }
    expect(three.answers.some(({ refused }) => refused === 'left out')).toBe(true);
    expect(three.answers.some(({ status }) => status === 200)).toBe(true);
    expect(three.nodes.some((node) => [0, 1, 2].some((about) => node.stateOf(about).includes('FALSE')))).toBe(false);
  });

  it('an oracle that lost its ledger signs again with what the others show it', async () => {
    await start(2);
    three.window(1, () => 10n, [0, 1]);
    three.node(2).isSilent = true;
    await three.settled();
    three.node(1).isSilent = true;
    three.node(2).isSilent = false;
    three.window(2, () => 30n, [0]);
    await three.settled();
    expect(three.node(2).statements.newest(asMeterId(three.fixture.meters[0]?.meterId ?? ''))?.exportWh).toBe(500_030n);
  });
});

describe('a leader that is killed between storing and sending', () => {
  /** The leader of window 1 stores its intent and sends nothing; then it is gone. */
  async function killLeader(heard: readonly number[]): Promise<{ leader: number; others: number[] }> {
    await start(2);
    for (const node of three.nodes) {
      node.bendNode = (chain) => ({
        readPage: (...args) => chain.readPage(...args),
        outcome: (...args) => chain.outcome(...args),
        blockhashState: (...args) => chain.blockhashState(...args),
        send: async () => {},
      });
      node.start();
    }
    three.statement(0, 1, 40n);
    three.statement(1, 1, 60n, heard);
    const led = () => three.nodes.findIndex((node) => node.intents().length > 0);
    await three.run(() => led() >= 0, 'an intent');
    const leader = led();
    three.node(leader).isSilent = true;
    const others = [0, 1, 2].filter((place) => place !== leader);
    for (const place of others) {
      three.node(place).bendNode = (chain) => chain;
      three.node(place).start();
    }
    return { leader, others };
  }

  it('is followed by another with the same attest_page; when it is back, it lands nothing twice', async () => {
    const { leader, others } = await killLeader([0, 1, 2]);
    await three.settled();
    expect((await figures(three.fixture)).version).toBe(1n);
    three.node(leader).bendNode = (chain) => chain;
    three.node(leader).isSilent = false;
    three.node(leader).start();
    three.window(2, () => 100n);
    await three.settled();
    await three.run(() => three.node(leader).intents()[0] !== 'attest open', 'its intent is resolved');
    expect(['attest failed', 'attest superseded']).toContain(three.node(leader).intents()[0]);
    expect(others.some((place) => three.node(place).intents().includes('attest landed'))).toBe(true);
    expect((await figures(three.fixture)).version).toBe(2n);
  });

  it('a different attest_page is not signed while its own may still land, and is afterwards', async () => {
    const { others } = await killLeader([]);
    // Meter 1's statement comes late: what would be written now differs from what was signed.
    for (const place of others) three.statement(1, 1, 60n, [place]);
    const end = three.clock.nowMs() + 40_000;
    await three.run(() => three.clock.nowMs() > end, 'forty seconds', 60_000);
    expect((await figures(three.fixture)).version).toBe(0n);
    three.lite.expire();
    await three.settled();
    expect((await figures(three.fixture)).version).toBe(1n);
  });
});
