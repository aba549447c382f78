import type { Metrics } from '@gridtokenx/runtime/node';
import type { BrokerMetrics } from '../ports.js';

/** Adds the metrics of the broker to those of the process. */
export function brokerMetrics(metrics: Metrics): BrokerMetrics {
  const clients = metrics.gauge('clients', 'Sessions signed in');
  const published = metrics.counter('published', 'Messages taken from clients');
  const payload = metrics.counter('published_bytes', 'Their payload bytes');
  const received = metrics.counter('received_bytes', 'Bytes read');
  const throttled = metrics.counter('throttled', 'Times a client had to wait');
  const refused = metrics.counter('refused', 'Sign-ins, publishes, subscriptions and packets refused', ['reason']);
  const ended = metrics.counter('sessions_ended', 'Sessions ended by the broker', ['reason']);
  metrics.gauge('resident_bytes', 'Memory of the process', () => process.memoryUsage.rss());
  return {
    clients: (change) => clients.inc(change),
    published: (bytes) => {
      published.inc();
      payload.inc(bytes);
    },
    received: (bytes) => received.inc(bytes),
    refused: (reason) => refused.inc({ reason }),
    ended: (reason) => ended.inc({ reason }),
    throttled: () => throttled.inc(),
  };
}
