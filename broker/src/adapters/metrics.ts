import { Counter, Gauge, Registry } from 'prom-client';
import type { BrokerMetrics } from '../ports.js';

/** What the figures show of the server's certificate. */
export interface CertificateView {
  readonly expiryDays: number;
  readonly refused: string | null;
}

/** Figures of the server's certificate; `renewal` counts the pairs that were looked at. */
export function certificateMetrics(registry: Registry) {
  const registers = [registry];
  const renewals = new Counter({
    name: 'gtx_broker_certificate_renewals_total',
    help: 'New certificates found, taken or refused',
    labelNames: ['result'],
    registers,
  });
  return {
    renewal: (result: 'taken' | 'refused') => renewals.inc({ result }),
    watch: (certificate: CertificateView) => {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read());
          },
        });
      gauge('gtx_broker_certificate_expiry_days', 'Days until the certificate expires', () => certificate.expiryDays);
      gauge('gtx_broker_certificate_refused', '1 while the files hold a pair that cannot be served', () =>
        certificate.refused === null ? 0 : 1,
      );
    },
  };
}

/** The broker's figures in a registry of their own. */
export function prometheusMetrics(): { metrics: BrokerMetrics; registry: Registry } {
  const registry = new Registry();
  const registers = [registry];
  const clients = new Gauge({ name: 'gtx_broker_clients', help: 'Sessions signed in', registers });
  const published = new Counter({ name: 'gtx_broker_published_total', help: 'Messages taken from clients', registers });
  const payload = new Counter({ name: 'gtx_broker_published_bytes_total', help: 'Their payload bytes', registers });
  const received = new Counter({ name: 'gtx_broker_received_bytes_total', help: 'Bytes read', registers });
  const throttled = new Counter({ name: 'gtx_broker_throttled_total', help: 'Times a client had to wait', registers });
  const labelNames = ['reason'];
  const refused = new Counter({
    name: 'gtx_broker_refused_total',
    help: 'Sign-ins, publishes, subscriptions and packets refused',
    labelNames,
    registers,
  });
  const ended = new Counter({
    name: 'gtx_broker_sessions_ended_total',
    help: 'Sessions ended by the broker',
    labelNames,
    registers,
  });
  new Gauge({
    name: 'gtx_broker_resident_bytes',
    help: 'Memory of the process',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  return {
    registry,
    metrics: {
      clients: (change) => clients.inc(change),
      published: (bytes) => {
        published.inc();
        payload.inc(bytes);
      },
      received: (bytes) => received.inc(bytes),
      refused: (reason) => refused.inc({ reason }),
      ended: (reason) => ended.inc({ reason }),
      throttled: () => throttled.inc(),
    },
  };
}
