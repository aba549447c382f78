import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asWindow, toHex } from '@gridtokenx/protocol';
import { figures } from '@gridtokenx/testing-kit/oracle/fixtures';
import { GATEWAY, testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, type Signed, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Three } from './together.js';
import { rigOfThree, statementOf } from './together-zone.js';

const meter = meterOf(1);
type TestLedger = ReturnType<typeof testLedger>;

/** Keeps what it sent; a new ledger or a lower watermark means "send again from there" [wire §8.2]. */
class KeepingGateway {
  readonly #kept: Signed[] = [];
  #ledger = '';
  #through = 0n;
  resent = 0;

  send(to: TestLedger, messages: readonly Signed[]): void {
    this.#kept.push(...messages);
    to.take(messages);
    this.hear(to);
  }

  /** Takes the oracle's ack, and does what it asks for. */
  hear(to: TestLedger): void {
    const id = toHex(to.ledger.id);
    const through = to.ledger.tell(GATEWAY).meters.get(meter.meterId)?.storedThrough ?? 0n;
    if (id !== this.#ledger || through < this.#through) {
      const again = this.#kept.filter(({ payload }) => payload.seq > through);
      this.resent += again.length;
      to.take(again);
    }
    this.#ledger = id;
    this.#through = to.ledger.tell(GATEWAY).meters.get(meter.meterId)?.storedThrough ?? 0n;
  }
}

describe('a ledger that came back older, or not at all', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'recovery-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const view = (of: TestLedger) => ({
    verdicts: [...of.verdicts()].sort(),
    mark: of.mark(meter.meterId),
    statements: of.statements
      .attestable(meter.meterId, asWindow(0), 1_000)
      .map(({ window, exportWh }) => [window, exportWh]),
  });

  it.each([
    ['restored from a backup', true],
    ['lost', false],
  ])('%s: what gateways send again heals it, verdict for verdict', (_, hasBackup) => {
    const open = (name: string) => testLedger(new FakeRegistry(meter), join(folder, name));
    const log = new JournalBuilder(meter, signerOf(1)).honest(6, 4);
    const never = open('never-lost');
    never.take(log);
    const gateway = new KeepingGateway();
    const first = open('first');
    gateway.send(first, log.slice(0, 12));
    const backup = join(folder, 'backup');
    first.database.sqlite.prepare('VACUUM INTO ?').run(backup);
    gateway.send(first, log.slice(12));
    expect(gateway.resent).toBe(0);
    first.database.sqlite.close();

    const file = hasBackup ? 'backup' : 'new';
    if (!hasBackup) {
      // Test ledgers draw the same id; a new one in the field does not.
      const fresh = open(file);
      fresh.database.sqlite.prepare("UPDATE meta SET value = ? WHERE key = 'ledger_id'").run(new Uint8Array(16));
      fresh.database.sqlite.close();
    }
    const second = open(file);
    expect(toHex(second.ledger.id) === toHex(first.ledger.id)).toBe(hasBackup);
    const stored = hasBackup ? 12n : 0n;
    expect(second.mark(meter.meterId)?.storedThrough ?? 0n).toBe(stored);
    gateway.hear(second);
    expect(gateway.resent).toBe(log.length - Number(stored));
    expect(view(second)).toEqual(view(never));
    expect(second.ledger.outbox(1_000).points).toHaveLength(24);
    for (const one of [never, second]) one.database.sqlite.close();
  });
});

describe('three oracles on one chain', () => {
  let three: Three;
  beforeEach(async () => {
    three = new Three(await rigOfThree(2));
  });
  afterEach(() => three.close());

  const windows = async (from: number, to: number) => {
    for (let n = from; n <= to; n++) {
      three.window(n, (i) => BigInt(n * 100 + i));
      await three.settled();
    }
  };
  const resend = (place: number, from: number, to: number) => {
    for (let n = from; n <= to; n++) {
      for (const i of [0, 1]) three.node(place).hear(statementOf(three.fixture, i, n, BigInt(n * 100 + i)));
    }
  };

  it('all ledgers lost: what is on chain is not attested or minted a second time', async () => {
    await windows(1, 3);
    for (const node of three.nodes) node.lose();
    for (const place of [0, 1, 2]) resend(place, 1, 3);
    const end = three.clock.nowMs() + 30_000;
    await three.run(() => three.clock.nowMs() > end, 'half a minute', 60_000);
    expect((await figures(three.fixture)).version).toBe(3n);
    await windows(4, 5);
    expect((await figures(three.fixture)).version).toBe(5n);
  });

  it('one ledger restored from a backup: it signs and leads again, and nothing is doubled', async () => {
    await windows(1, 2);
    const copy = three.node(0).backUp();
    await windows(3, 4);
    three.node(0).lose(copy);
    // It leads while it lacks windows 3 and 4; the others' page is ahead of its archive.
    await windows(5, 7);
    resend(0, 3, 4);
    await windows(8, 9);
    expect((await figures(three.fixture)).version).toBe(9n);
    expect(three.nodes.flatMap((node) => [0, 1, 2].map((about) => node.stateOf(about))).join()).not.toContain('FALSE');
    expect(
      three
        .node(0)
        .intents()
        .filter((intent) => intent === 'attest landed').length,
    ).toBeGreaterThan(1);
  });
});
