// Slow: kills real processes. Budget: 30 s.
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { type Running, startProcess } from '@gridtokenx/testing-kit/processes';
import { JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { beforeAll, describe, expect, it } from 'vitest';
import { blobSeq } from '../../src/adapters/sqlite/rows.js';
import { TestGateway } from '../support/gateway.js';
import { oracleFolder, startBroker } from '../support/process.js';

const REAL = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const EARLY = fileURLToPath(new URL('../fixtures/early-ack.mjs', import.meta.url));
const meter = meterOf(1);

beforeAll(async () => {
  const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
  buildAll();
});

/** Returns the seqs in the ledger's file. */
function storedSeqs(file: string): bigint[] {
  const sqlite = new DatabaseSync(file, { readOnly: true });
  const rows = sqlite.prepare('SELECT seq FROM messages ORDER BY seq').all();
  sqlite.close();
  return rows.map((row) => blobSeq(row.seq as Uint8Array));
}

/**
 * Sends messages and kills the oracle as soon as an ack covers at least `after` of them. Returns how many acknowledged
 * seqs are missing in the file.
 */
async function lostByKill(
  script: string,
  after: bigint,
  goOn?: (parts: { gateway: TestGateway; file: string; log: ReturnType<JournalBuilder['honest']> }) => Promise<void>,
): Promise<number> {
  const broker = await startBroker();
  const folder = oracleFolder([meter], broker.url);
  const gateway = await TestGateway.connect(broker.url);
  let oracle: Running | null = null;
  try {
    oracle = await startProcess(script, ['run', '--config', folder.file]);
    await gateway.oracleOnline(1);
    const log = new JournalBuilder(meter, signerOf(1)).honest(60, 9);
    gateway.send(meter.meterId, log.slice(0, 400));
    await gateway.changed.until('an ack', () => (gateway.storedThrough(meter.meterId) >= after ? true : null));
    gateway.send(meter.meterId, log.slice(400));
    await oracle.kill('SIGKILL');
    const acknowledged = gateway.acks.reduce((most, ack) => {
      const through = ack.meters.get(meter.meterId)?.storedThrough ?? 0n;
      return through > most ? through : most;
    }, 0n);
    expect(acknowledged).toBeGreaterThanOrEqual(after);
    const stored = new Set(storedSeqs(folder.ledger));
    let lost = 0;
    for (let seq = 1n; seq <= acknowledged; seq++) if (!stored.has(seq)) lost++;
    await goOn?.({ gateway, file: folder.file, log });
    return lost;
  } finally {
    oracle?.child.kill('SIGKILL');
    await gateway.close();
    await broker.stop();
    folder.remove();
  }
}

describe('kill -9 while messages come in', () => {
  it('loses nothing that was acknowledged, and the same command goes on without doubling anything', async () => {
    const lost = await lostByKill(REAL, 1n, async ({ gateway, file, log }) => {
      const before = gateway.acks.at(-1);
      const again = await startProcess(REAL, ['run', '--config', file]);
      try {
        await gateway.oracleOnline(2);
        gateway.send(meter.meterId, log);
        const all = BigInt(log.length);
        await gateway.changed.until('all stored', () => (gateway.storedThrough(meter.meterId) === all ? true : null));
        const acks = gateway.acks;
        expect(acks.every((ack, i) => i === 0 || ack.timeMs > (acks[i - 1]?.timeMs ?? 0))).toBe(true);
        expect(acks.at(-1)?.ledgerId).toEqual(before?.ledgerId);
        expect(acks.at(-1)?.refused).toEqual([]);
        const ended = await again.kill('SIGTERM');
        expect(ended).toEqual({ code: 0, signal: null });
        const seqs = storedSeqs(file.replace('oracle.json', 'data/ledger.sqlite'));
        expect(seqs).toEqual(log.map((m) => m.payload.seq));
      } finally {
        again.child.kill('SIGKILL');
      }
    });
    expect(lost).toBe(0);
  });

  it('control: an oracle that acknowledges before its commit is caught', async () => {
    expect(await lostByKill(EARLY, 1n)).toBeGreaterThan(0);
  });
});
