import { Counter, Gauge, Registry } from 'prom-client';
import type { CounterName, Counters } from '../domain/ports.js';

const HELP: Record<CounterName, { help: string; labels: string[] }> = {
  polls: { help: 'Polls of a meter', labels: ['meter'] },
  poll_errors: { help: 'Polls that gave no value that is used', labels: ['meter', 'reason'] },
  readings: { help: 'Readings signed and committed', labels: ['meter'] },
  statements: { help: 'Window statements signed and committed', labels: ['meter'] },
  events: { help: 'Events signed and committed', labels: ['meter'] },
  publishes: { help: 'Packets that the broker took', labels: ['stream'] },
  messages_sent: { help: 'Messages in these packets', labels: [] },
  acks: { help: 'Genuine acks of configured oracles', labels: [] },
  acks_ignored: { help: 'Acks that do not count', labels: [] },
  connects: { help: 'Sessions with the broker', labels: [] },
  connect_errors: { help: 'Attempts to connect that failed', labels: [] },
  resends: { help: 'Times that everything beyond the watermark was sent again', labels: [] },
  bus: {
    help: 'What happened on a bus: requests, answers, timeouts, late, damaged and so on',
    labels: ['bus', 'what'],
  },
  dead_letters: { help: 'Messages that the oracles refused for good', labels: ['meter'] },
};

export interface Gauges {
  readonly spool_depth: () => number;
  readonly spool_bytes: () => number;
  readonly online: () => number;
  readonly problems: () => number;
  /** Of the status page's certificate, where it has one. */
  readonly certificate_expiry_days?: () => number;
}

/** Prometheus metrics of the gateway; all names start with `gridtokenx_gateway_`. */
export class Metrics implements Counters {
  readonly #registry = new Registry();
  readonly #counters = new Map<CounterName, Counter>();

  constructor() {
    for (const [name, { help, labels }] of Object.entries(HELP) as [
      CounterName,
      { help: string; labels: string[] },
    ][]) {
      const counter = new Counter({
        name: `gridtokenx_gateway_${name}_total`,
        help,
        labelNames: labels,
        registers: [this.#registry],
      });
      this.#counters.set(name, counter);
    }
  }

  add(name: CounterName, labels: Readonly<Record<string, string>> = {}, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  /** Values that are read when somebody looks. */
  watch(gauges: Gauges): void {
    for (const [name, read] of Object.entries(gauges) as [string, () => number][]) {
      new Gauge({
        name: `gridtokenx_gateway_${name}`,
        help: name.replaceAll('_', ' '),
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    }
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
