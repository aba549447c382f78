import { join } from 'node:path';
import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import type { FeedState } from '../adapters/influx/index.js';
import { openInflux } from '../adapters/influx/index.js';
import { DatabaseDamaged, moveAside, openChecked, stampOf, type WatchedDatabase } from '../adapters/sqlite/damage.js';
import type { Database } from '../adapters/sqlite/database.js';
import { SqliteFeedRecord } from '../adapters/sqlite/feed-record.js';
import { fillOutbox } from '../adapters/sqlite/outbox.js';
import { SqliteSetAside } from '../adapters/sqlite/set-aside.js';
import { EmbeddedTimeSeries } from '../adapters/sqlite/time-series.js';
import type { Ledger } from '../domain/intake/ports.js';
import { Projector } from '../domain/live/projector.js';
import type { Config } from './config.js';

/** The time series, and the part that follows the ledger for it. */
export interface Series {
  /** Announces that there may be new readings. */
  wake(): void;
  /** Returns the server's progress; null for the embedded store, which follows the ledger within a second. */
  state(): FeedState | null;
  /** Returns why the series does not progress, in plain words; null without a problem. */
  problem(): string | null;
  /** Returns the number of readings that the embedded store ever refused. Throws when the disk fails. */
  setAside(): number;
  /** Call it before the database is closed. */
  stop(): Promise<void>;
}

export interface SeriesDeps {
  readonly ledger: Ledger;
  readonly database: Database;
  readonly clock: Clock;
  readonly randomness: Random;
  readonly logger: Logger;
}

/**
 * Opens InfluxDB where the configuration names a server, else the store in the data directory. Throws for an unusable
 * token file.
 */
export function openSeries(config: Config, path: (name: string) => string, deps: SeriesDeps): Series {
  if (config.influx) {
    const { url, org, bucket, token_file } = config.influx;
    const record = new SqliteFeedRecord(deps.database, `${url} ${org} ${bucket}`);
    const influx = openInflux({ ...deps, record, options: { url, org, bucket, tokenFile: path(token_file) } });
    return {
      wake: () => influx.feeder.wake(),
      state: () => influx.feeder.state(),
      problem: () => influx.feeder.stalled ?? influx.feeder.state().problem,
      setAside: () => influx.feeder.state().refused,
      stop: () => influx.stop(),
    };
  }
  const { series, damage, found } = openEmbedded(join(path(config.data_dir), 'timeseries.sqlite'), deps);
  const setAside = new SqliteSetAside(deps.database);
  const projector = new Projector({ ...deps, series, setAside, random: deps.randomness });
  return {
    wake: () => projector.wake(),
    state: () => null,
    problem: () => damage() ?? projector.problem ?? found,
    setAside: () => setAside.count(),
    async stop() {
      await projector.stop();
      await series.close();
    },
  };
}

/**
 * Opens the store in the data directory. A damaged store is moved aside and written anew from the ledger, which holds
 * all its readings: settlement never waits for it.
 */
function openEmbedded(file: string, { database, clock, logger }: SeriesDeps) {
  let opened: WatchedDatabase | undefined;
  const open = (path: string) => {
    opened = openChecked(path);
    return opened;
  };
  const damage = () => {
    const what = opened?.damage ?? null;
    return what && `${file} ${what}: start the oracle again, and it is written anew from the ledger`;
  };
  try {
    return { series: new EmbeddedTimeSeries(file, open), damage, found: null };
  } catch (error) {
    if (!(error instanceof DatabaseDamaged)) throw error;
    // In this order: a kill in between repeats both steps.
    fillOutbox(database);
    const [moved] = moveAside(file, stampOf(clock.nowMs()));
    const found = `the time series was damaged and is written anew; the old file is ${moved ?? file}`;
    logger.error({ event: 'series_rejected', err: error.message }, found);
    return { series: new EmbeddedTimeSeries(file, open), damage, found };
  }
}
