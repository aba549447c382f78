// Slow: needs a real InfluxDB server. Budget: 20 s.

import { systemClock } from '@gridtokenx/runtime/node';
import { timeSeriesContract } from '@gridtokenx/testing-kit/contracts/time-series';
import { afterAll, beforeAll, describe } from 'vitest';
import { LINES_PER_REQUEST } from '../../src/adapters/influx/index.js';
import { InfluxTimeSeries } from '../../src/adapters/influx/series.js';
import type { TimeSeries } from '../../src/domain/live/ports.js';
import { announceServer, influxd, RealServer } from './server.js';

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
    const { url, org } = server;
    const open = () =>
      new InfluxTimeSeries({
        url,
        org,
        bucket,
        token: () => server.token(),
        clock: systemClock,
        linesPerRequest: LINES_PER_REQUEST,
      });
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
