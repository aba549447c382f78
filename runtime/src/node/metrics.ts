import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CertificateFiles } from './certificate.js';

/** Begins every metric of every service. */
export const METRIC_PREFIX = 'gtx_';

const SERVICE = /^[a-z][a-z0-9]*$/;
const NAME = /^[a-z][a-z0-9_]*$/;

/**
 * The metrics of one service for Prometheus, in a registry of their own: `gtx_SERVICE_NAME`. Pass names without that prefix.
 * Units stand at the end (`_seconds`, `_bytes`); the class adds `_total` to counters. Every method throws an `Error` for a name
 * that is malformed or already registered: a defect of the program.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #service: string;

  constructor(service: string) {
    if (!SERVICE.test(service)) throw new Error(`"${service}" is no name of a service`);
    this.#service = service;
  }

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter<L>({ name: this.#name(`${name}_total`), help, labelNames, registers: [this.registry] });
  }

  /** Registers a value that the caller sets, or that `read` returns at each scrape. */
  gauge(name: string, help: string, read?: () => number): Gauge {
    const collect = read && {
      collect(this: Gauge) {
        this.set(read());
      },
    };
    return new Gauge({ name: this.#name(name), help, registers: [this.registry], ...collect });
  }

  /** Registers a value for each set of labels that `read` returns at a scrape; sets of an earlier scrape go. */
  gauges<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => Iterable<readonly [Readonly<Record<L, string>>, number]>,
  ): Gauge<L> {
    return new Gauge<L>({
      ...{ name: this.#name(name), help, labelNames, registers: [this.registry] },
      collect(this: Gauge<L>) {
        this.reset();
        for (const [labels, value] of read()) this.set(labels, value);
      },
    });
  }

  /** `buckets`: upper bounds in the unit that the name ends with, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return new Histogram({ name: this.#name(name), help, buckets: [...buckets], registers: [this.registry] });
  }

  /** Registers memory, processor and event loop of this process, under the service's own prefix. */
  process(): void {
    collectDefaultMetrics({ register: this.registry, prefix: this.#name('') });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Returns the text format of Prometheus. Rejects when a `read` throws. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  #name(name: string): string {
    if (name !== '' && !NAME.test(name)) throw new Error(`"${name}" is no name of a metric`);
    return `${METRIC_PREFIX}${this.#service}_${name}`;
  }
}

/** Registers metrics of a server's certificate: `renewal` counts the checked pairs, `watch` adds a certificate. */
export function certificateMetrics(metrics: Metrics) {
  const renewals = metrics.counter('certificate_renewals', 'New certificates found, taken or refused', ['result']);
  return {
    renewal: (result: 'taken' | 'refused') => renewals.inc({ result }),
    watch: (certificate: Pick<CertificateFiles, 'expiryDays' | 'refused'>) => {
      metrics.gauge('certificate_expiry_days', 'Days until the certificate expires', () => certificate.expiryDays);
      metrics.gauge('certificate_refused', '1 while the files hold a pair that cannot be served', () =>
        certificate.refused === null ? 0 : 1,
      );
    },
  };
}
