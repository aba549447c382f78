import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import type { Ledger } from '../../domain/intake/ports.js';
import type { FeedRecord, TimeSeries } from '../../domain/live/ports.js';
import { TimeSeriesFeeder } from './feeder.js';
import { outboxReadings } from './outbox.js';
import { InfluxTimeSeries } from './series.js';
import { tokenFile } from './token.js';

export { RowsRefused, SeriesSetupRefused, SeriesUnavailable } from './errors.js';
export { type FeedState, TimeSeriesFeeder } from './feeder.js';
export { InfluxTimeSeries } from './series.js';

/** Largest number of lines in one request. */
export const LINES_PER_REQUEST = 5_000;
/** Maximum number of points in memory. */
const BATCH = 2_000;
/** Bounds the writing of remaining points when the oracle stops, in real ms. */
const GRACE_MS = 2_000;

export interface InfluxDeps {
  readonly options: {
    readonly url: string;
    readonly org: string;
    readonly bucket: string;
    /** Mode 0600; read again when the file changes. */
    readonly tokenFile: string;
  };
  readonly ledger: Pick<Ledger, 'outbox' | 'clearOutbox'>;
  /** Progress of the target ("url org bucket"), stored in the ledger's own file. */
  readonly record: FeedRecord;
  readonly clock: Clock;
  readonly randomness: Random;
  readonly logger: Logger;
}

/** The time series on a server, and the feeder that follows the ledger for it. */
export interface Influx {
  readonly series: TimeSeries;
  readonly feeder: TimeSeriesFeeder;
  /** Call it before the database is closed. */
  stop(): Promise<void>;
}

/** Starts without a server and connects once the server is there. Throws when the token file cannot be used. */
export function openInflux({ options, ledger, record, clock, randomness, logger }: InfluxDeps): Influx {
  const { url, org, bucket } = options;
  const token = tokenFile(options.tokenFile);
  token();
  const series = new InfluxTimeSeries({ url, org, bucket, token, clock, linesPerRequest: LINES_PER_REQUEST });
  const feeder = new TimeSeriesFeeder({
    source: outboxReadings(ledger),
    record,
    series,
    clock,
    randomness,
    logger,
    batch: BATCH,
  });
  return {
    series,
    feeder,
    async stop() {
      await feeder.stop(GRACE_MS);
      await series.close();
    },
  };
}
