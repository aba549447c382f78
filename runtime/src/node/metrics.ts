import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CertificateFiles } from './certificate.js';

/** Every metric of every service begins with this. */
export const METRIC_PREFIX = 'gtx_';

const SERVICE = /^[a-z][a-z0-9]*$/;
const NAME = /^[a-z][a-z0-9_]*$/;

/**
 * The figures of one service for Prometheus, in a registry of their own: `gtx_SERVICE_NAME`. Give names without that
 * beginning; units stand at the end (`_seconds`, `_bytes`), and counters end in `_total` by themselves. Every method
 * throws an `Error` for a name that is taken or is none: it is a defect of ours.
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

  /** A value that is set; with `read` one that is looked up whenever somebody asks. */
  gauge(name: string, help: string, read?: () => number): Gauge {
    const collect = read && {
      collect(this: Gauge) {
        this.set(read());
      },
    };
    return new Gauge({ name: this.#name(name), help, registers: [this.registry], ...collect });
  }

  /** `buckets`: upper bounds in the unit that the name ends with, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return new Histogram({ name: this.#name(name), help, buckets: [...buckets], registers: [this.registry] });
  }

  /** Memory, processor and event loop of this process, under the service's own prefix. */
  process(): void {
    collectDefaultMetrics({ register: this.registry, prefix: this.#name('') });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** The text format of Prometheus. Rejects when a value that is looked up throws. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  #name(name: string): string {
    if (name !== '' && !NAME.test(name)) throw new Error(`"${name}" is no name of a metric`);
    return `${METRIC_PREFIX}${this.#service}_${name}`;
  }
}

/** Figures of a server's certificate: `renewal` counts the pairs that were looked at, `watch` shows one from then on. */
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
