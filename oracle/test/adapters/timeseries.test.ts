import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { timeSeriesContract } from '@gridtokenx/testing-kit/contracts/time-series';
import { expect, it, onTestFinished } from 'vitest';
import { openChecked } from '../../src/adapters/sqlite/damage.js';
import { EmbeddedTimeSeries } from '../../src/adapters/sqlite/time-series.js';

timeSeriesContract('embedded', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gtx-series-'));
  const path = join(directory, 'series.sqlite');
  let open = new EmbeddedTimeSeries(path, openChecked);
  const first = open;
  return {
    series: first,
    async reopen() {
      await open.close().catch(() => undefined);
      open = new EmbeddedTimeSeries(path, openChecked);
      return open;
    },
    async remove() {
      await open.close().catch(() => undefined);
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

it('closes the database and the files beside it to others before it opens them', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gtx-series-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'series.sqlite');
  const files = ['', '-wal', '-shm'].map((suffix) => `${path}${suffix}`);
  for (const file of files) writeFileSync(file, '', { mode: 0o644 });
  const modes: number[] = [];
  const series = new EmbeddedTimeSeries(path, (file) => {
    modes.push(...files.map((each) => statSync(each).mode & 0o777));
    return new DatabaseSync(file);
  });
  await series.close();
  expect(modes).toEqual([0o600, 0o600, 0o600]);
});
