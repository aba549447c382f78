import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Values that are read when somebody asks for the metrics. */
export interface Observed {
  readonly isBrokerConnected: () => boolean;
  readonly ledgerFailures: () => number;
  readonly chainPending: () => number;
  readonly registryAgeMs: () => number;
  /** How the time series server is followed; null without one. */
  readonly series: () => { readonly written: number; readonly refused: number; readonly failures: number } | null;
  /** Of the server's certificate, where it has one. */
  readonly certificateDays?: () => number;
}

/** The oracle's metrics for Prometheus. */
export function makeMetrics(observed: Observed) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const messages = new Counter({
    name: 'gtx_oracle_messages_total',
    help: 'Verdicts given, revised ones counted again',
    labelNames: ['verdict'],
    registers,
  });
  const commit = new Histogram({
    name: 'gtx_oracle_commit_seconds',
    help: 'Time of one ledger commit, sync included',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const ackLag = new Histogram({
    name: 'gtx_oracle_ack_lag_seconds',
    help: 'Time from a commit to the ack that tells it',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2],
    registers,
  });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('gtx_oracle_broker_connected', '1 while connected to the broker', () => (observed.isBrokerConnected() ? 1 : 0));
  gauge('gtx_oracle_ledger_failures', 'Commits failed in a row', observed.ledgerFailures);
  gauge('gtx_oracle_chain_pending', 'Statements and mints not confirmed on chain', observed.chainPending);
  gauge('gtx_oracle_registry_age_seconds', 'Age of the registry state', () => observed.registryAgeMs() / 1_000);
  if (observed.series()) {
    const count = (pick: 'written' | 'refused' | 'failures') => () => observed.series()?.[pick] ?? 0;
    gauge('gtx_oracle_series_written', 'Readings written to the time series since the start', count('written'));
    gauge('gtx_oracle_series_refused', 'Readings refused by the time series since the start', count('refused'));
    gauge('gtx_oracle_series_failures', 'Writes to the time series failed in a row', count('failures'));
  }
  if (observed.certificateDays) {
    gauge('gtx_oracle_certificate_expiry_days', 'Days until the certificate expires', observed.certificateDays);
  }
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    count: (verdict: string, n: number) => messages.inc({ verdict }, n),
    commit: (ms: number) => commit.observe(ms / 1_000),
    ackLag: (ms: number) => ackLag.observe(ms / 1_000),
  };
}
