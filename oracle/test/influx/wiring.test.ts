import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asMeterId } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { systemRandom } from '@gridtokenx/runtime/node/system';
import { testLedger } from '@gridtokenx/testing-kit/oracle/ledger';
import { FakeRegistry, JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { until } from '@gridtokenx/testing-kit/until';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openInflux } from '../../src/adapters/influx/index.js';
import { outboxReadings } from '../../src/adapters/influx/outbox.js';
import { tokenFile } from '../../src/adapters/influx/token.js';
import { openDatabase } from '../../src/adapters/sqlite/database.js';
import { influxMigrations, SqliteFeedRecord } from '../../src/adapters/sqlite/feed-record.js';
import { fakeServer, memoryLogger, readingOf, say } from './support.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-influx-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeToken(text: string, mode = 0o600): string {
  const path = join(folder, 'token');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('from the ledger to the server', () => {
  it('brings every verified reading of the ledger, through a failure and a restart', async () => {
    const meter = meterOf(1);
    const path = join(folder, 'ledger.sqlite');
    const { ledger, take, database: ledgerFile } = testLedger(new FakeRegistry(meter), path);
    const log = new JournalBuilder(meter, signerOf(1));
    take(log.honest(3, 5));
    let failures = 2;
    const stored = new Set<string>();
    const server = await fakeServer(({ lines }, response) => {
      if (failures-- > 0) return say(response, 503, 'starting');
      for (const line of lines) stored.add(line);
      return say(response, 204);
    });
    const database = openDatabase(path, influxMigrations);
    const logger = memoryLogger();
    const open = () =>
      openInflux({
        options: { url: server.url, org: 'gtx', bucket: 'gtx-raw', tokenFile: writeToken('abc\n') },
        ...{
          ledger,
          record: new SqliteFeedRecord(database, 'one target'),
          clock: systemClock,
          randomness: { ...systemRandom, fraction: () => 0 },
          logger,
        },
      });
    const first = open();
    first.feeder.wake();
    await until('all readings arrive', () => stored.size === 15);
    await first.stop();
    take([log.reading(), log.reading(), log.statement()]);
    const second = open();
    second.feeder.wake();
    await until('the new ones arrive', () => stored.size === 17);
    await second.stop();
    expect(new Set([...stored].map((line) => /seq=(\d+)i/.exec(line)?.[1])).size).toBe(17);
    expect(JSON.stringify(logger.entries)).not.toContain('abc');
    await server.stop();
    database.sqlite.close();
    ledgerFile.sqlite.close();
  });

  it('clears the outbox only through what was recorded', () => {
    const cleared: number[] = [];
    const source = outboxReadings({
      outbox: () => ({ through: 12, points: [readingOf(0)] }),
      clearOutbox: (through) => {
        cleared.push(through);
      },
    });
    source.readingsAfter(0, 10);
    source.readingsAfter(0, 10);
    expect(cleared).toEqual([]);
    source.readingsAfter(12, 10);
    expect(cleared).toEqual([12]);
    expect(
      outboxReadings({ outbox: () => ({ through: 0, points: [] }), clearOutbox: () => {} }).readingsAfter(12, 10),
    ).toEqual({
      through: 12,
      points: [],
    });
  });
});

describe('the record in the ledger file', () => {
  it('is there after the file was opened again, one for each target', () => {
    const meter = asMeterId('0c'.repeat(16));
    const path = join(folder, 'ledger.sqlite');
    const refused = [{ point: readingOf(3), reason: 'old' }];
    const before = openDatabase(path, influxMigrations);
    const record = new SqliteFeedRecord(before, 'a');
    record.fileUnder(new Map([[meter, { zone: 1, role: 0, source: 1 }]]));
    record.fileUnder(new Map([[meter, { zone: 2, role: 0, source: 1 }]]));
    record.advance(40, refused);
    record.advance(45, refused);
    before.sqlite.close();
    const after = openDatabase(path, influxMigrations);
    const again = new SqliteFeedRecord(after, 'a');
    expect([again.cursor(), [...again.tags()]]).toEqual([45, [[meter, { zone: 2, role: 0, source: 1 }]]]);
    const { meterId, timeMs, seq } = readingOf(3);
    expect(again.refused(10)).toEqual([{ meterId, timeMs, seq, reason: 'old' }]);
    expect([new SqliteFeedRecord(after, 'b').cursor(), new SqliteFeedRecord(after, 'b').refused(10)]).toEqual([0, []]);
    after.sqlite.close();
  });

  it('keeps neither cursor nor refused points when the commit fails', () => {
    const database = openDatabase(join(folder, 'ledger.sqlite'), influxMigrations);
    const record = new SqliteFeedRecord(database, 'a');
    const broken = { point: readingOf(3), reason: null as unknown as string };
    expect(() => record.advance(40, [{ point: readingOf(1), reason: 'old' }, broken])).toThrow();
    expect([record.cursor(), record.refused(10)]).toEqual([0, []]);
    database.sqlite.close();
  });
});

describe('the token file', () => {
  it('is read again when it changed', () => {
    const path = writeToken('first-token\n');
    const token = tokenFile(path);
    expect(token()).toBe('first-token');
    writeToken('the-second-token\n');
    expect(token()).toBe('the-second-token');
  });

  it.each([
    ['others may read it', 'secret', 0o644, /chmod 600/],
    ['it is empty', '', 0o600, /not an InfluxDB token/],
    ['it has two lines', 'secret\nX-Other: 1', 0o600, /not an InfluxDB token/],
  ])('is refused when %s, and not told', (_, text, mode, why) => {
    const path = writeToken(text, mode);
    const said = (() => {
      try {
        return tokenFile(path)();
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(said).toMatch(why);
    expect(said).not.toContain('secret');
  });

  it('is a regular file: a pipe would be waited for', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    expect(() => tokenFile(pipe)()).toThrow(`${pipe}: is no regular file; name a file`);
  });

  it('is missed by name', () => {
    expect(() => tokenFile(join(folder, 'none'))()).toThrow(/none: .*ENOENT/);
  });
});
