import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { timeSeriesContract } from '@gridtokenx/testing-kit/contracts/time-series';
import { EmbeddedTimeSeries } from '../../src/adapters/sqlite/time-series.js';

timeSeriesContract('embedded', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gtx-series-'));
  const path = join(directory, 'series.sqlite');
  let open = new EmbeddedTimeSeries(path);
  const first = open;
  return {
    series: first,
    async reopen() {
      await open.close().catch(() => undefined);
      open = new EmbeddedTimeSeries(path);
      return open;
    },
    async remove() {
      await open.close().catch(() => undefined);
      rmSync(directory, { recursive: true, force: true });
    },
  };
});
