import { Metrics } from '@gridtokenx/runtime/node';
import type { CounterName, Counters } from '../domain/ports.js';

const HELP: Record<CounterName, { help: string; labels: string[] }> = {
  polls: { help: 'Polls of a meter', labels: ['meter'] },
  poll_errors: { help: 'Polls without a usable value', labels: ['meter', 'reason'] },
  doubts: { help: 'Times at which the registers did not go on from the last good ones', labels: ['meter'] },
  readings: { help: 'Readings signed and committed', labels: ['meter'] },
  statements: { help: 'Window statements signed and committed', labels: ['meter'] },
  more_values: { help: 'Messages with further values signed and committed', labels: ['meter'] },
  events: { help: 'Events signed and committed', labels: ['meter'] },
  publishes: { help: 'Packets that the broker acknowledged', labels: ['stream'] },
  messages_sent: { help: 'Messages in these packets', labels: [] },
  acks: { help: 'Genuine acks of configured oracles', labels: [] },
  acks_ignored: { help: 'Acks that do not count', labels: [] },
  connects: { help: 'Sessions with the broker', labels: [] },
  connect_errors: { help: 'Attempts to connect that failed', labels: [] },
  resends: { help: 'Resends of everything beyond the watermark', labels: [] },
  bus: {
    help: 'Events on a bus: requests, answers, timeouts, late, damaged and so on',
    labels: ['bus', 'what'],
  },
  dead_letters: { help: 'Messages that the oracles refused for good', labels: ['meter'] },
};

export interface Gauges {
  readonly spool_depth: () => number;
  readonly spool_bytes: () => number;
  /** Bytes that the card got within 24 hours, in pages of 4 KiB, and syncs since the start. */
  readonly disk_written_bytes_day: () => number;
  readonly disk_syncs: () => number;
  readonly online: () => number;
  readonly problems: () => number;
  /** Days until the status page's certificate expires; absent without a certificate. */
  readonly certificate_expiry_days?: () => number;
}

/** Exports the gateway's metrics for Prometheus; all names start with `gtx_gateway_`. */
export class GatewayMetrics extends Metrics implements Counters {
  readonly #addedAtMs = new Map<CounterName, number>();
  readonly #now: () => number;
  readonly #counters: ReadonlyMap<CounterName, ReturnType<typeof Metrics.prototype.counter<string>>>;

  /** `now`: monotonic, ms. */
  constructor(now: () => number = () => performance.now()) {
    super('gateway');
    this.#now = now;
    const names = Object.keys(HELP) as CounterName[];
    this.#counters = new Map(
      names.map((name) => [name, this.counter<string>(name, HELP[name].help, HELP[name].labels)]),
    );
  }

  add(name: CounterName, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
    this.#addedAtMs.set(name, this.#now());
  }

  /** Returns the time since one of the counters last rose, ms; null when none ever rose. */
  sinceMs(...names: readonly CounterName[]): number | null {
    const times = names.flatMap((name) => this.#addedAtMs.get(name) ?? []);
    return times.length === 0 ? null : this.#now() - Math.max(...times);
  }

  /** Registers gauges, which are read at each scrape. */
  watch(gauges: Gauges): void {
    for (const [name, read] of Object.entries(gauges) as [string, () => number][])
      this.gauge(name, name.replaceAll('_', ' '), read);
  }
}
