import { join } from 'node:path';
import type { FeedState } from './adapters/influx/index.js';
import { openInflux } from './adapters/influx/index.js';
import { EmbeddedTimeSeries } from './adapters/timeseries/embedded.js';
import type { Config } from './config.js';
import type { Ledger } from './domain/ledger.js';
import { Projector } from './domain/projector.js';
import type { Database, Logger, Randomness, RealClock } from './ports.js';

/** The time series and what follows the ledger for it. */
export interface Series {
  /** There may be new readings. */
  wake(): void;
  /** How far the server has come; null for the embedded store, which is as far as the ledger within a second. */
  state(): FeedState | null;
  /** Before the database is closed. */
  stop(): Promise<void>;
}

export interface SeriesDeps {
  readonly ledger: Ledger;
  readonly database: Database;
  readonly realClock: RealClock;
  readonly randomness: Randomness;
  readonly logger: Logger;
}

/** InfluxDB where the configuration names one, else the store in the data directory. Throws for a token file that is none. */
export function openSeries(config: Config, path: (name: string) => string, deps: SeriesDeps): Series {
  if (config.influx) {
    const { url, org, bucket, token_file } = config.influx;
    const influx = openInflux({ ...deps, options: { url, org, bucket, tokenFile: path(token_file) } });
    return { wake: () => influx.feeder.wake(), state: () => influx.feeder.state(), stop: () => influx.stop() };
  }
  const series = new EmbeddedTimeSeries(join(path(config.data_dir), 'timeseries.sqlite'));
  const projector = new Projector(deps.ledger, series, deps.realClock, deps.logger);
  return {
    wake: () => projector.wake(),
    state: () => null,
    async stop() {
      await projector.stop();
      await series.close();
    },
  };
}
