// Slow: needs a real InfluxDB server. Budget: 20 s.

import { timeSeriesContract } from '@gridtokenx/testing-kit/contracts/time-series';
import { afterAll, beforeAll, describe } from 'vitest';
import type { TimeSeries } from '../../src/domain/live/ports.js';
import { announceServer, influxd, RealServer } from './server.js';
import { seriesIn } from './support.js';

announceServer();

describe.skipIf(!influxd)('on a real server', () => {
  const server = new RealServer();
  let buckets = 0;
  beforeAll(async () => {
    await server.start();
    await server.setUp();
  });
  afterAll(() => server.remove());

  timeSeriesContract('InfluxDB', async () => {
    const bucket = `contract-${++buckets}`;
    await server.makeBucket(bucket);
    const open = () => seriesIn(server, bucket);
    let current: TimeSeries = open();
    return {
      series: current,
      async reopen() {
        await current.close();
        // Not only the client restarts: the server too recovers from its files.
        await server.kill();
        await server.start();
        current = open();
        return current;
      },
      remove: () => current.close(),
    };
  });
});
