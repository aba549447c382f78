import { Metrics } from '@gridtokenx/runtime/node';

/** Reads values at the moment of a metrics request. */
export interface Observed {
  readonly isBrokerConnected: () => boolean;
  readonly ledgerFailures: () => number;
  readonly chainPending: () => number;
  readonly registryAgeMs: () => number;
  /** Returns the progress of the feed to the time series server; null without a server. */
  readonly series: () => { readonly written: number; readonly refused: number; readonly failures: number } | null;
  /** Returns days until the server's certificate expires; absent without a certificate. */
  readonly certificateDays?: () => number;
}

/** The oracle's metrics for Prometheus: `gtx_oracle_...`. */
export class OracleMetrics {
  readonly #metrics = new Metrics('oracle');
  readonly #messages = this.#metrics.counter('messages', 'Verdicts given, revised ones counted again', ['verdict']);
  readonly #commit = this.#metrics.histogram(
    'commit_seconds',
    'Time of one ledger commit, sync included',
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
  );
  readonly #ackLag = this.#metrics.histogram(
    'ack_lag_seconds',
    'Time from a commit to the ack that tells it',
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2],
  );

  constructor() {
    this.#metrics.process();
  }

  get contentType(): string {
    return this.#metrics.contentType;
  }
  text(): Promise<string> {
    return this.#metrics.text();
  }

  count(verdict: string, n: number): void {
    this.#messages.inc({ verdict }, n);
  }
  commit(ms: number): void {
    this.#commit.observe(ms / 1_000);
  }
  ackLag(ms: number): void {
    this.#ackLag.observe(ms / 1_000);
  }

  /** Registers values that each metrics request reads. Call it once. */
  observe(observed: Observed): void {
    const gauge = (name: string, help: string, read: () => number) => this.#metrics.gauge(name, help, read);
    gauge('broker_connected', '1 while connected to the broker', () => (observed.isBrokerConnected() ? 1 : 0));
    gauge('ledger_failures', 'Commits failed in a row', observed.ledgerFailures);
    gauge('chain_pending', 'Statements and mints not confirmed on chain', observed.chainPending);
    gauge('registry_age_seconds', 'Age of the registry state', () => observed.registryAgeMs() / 1_000);
    if (observed.series()) {
      const count = (pick: 'written' | 'refused' | 'failures') => () => observed.series()?.[pick] ?? 0;
      gauge('series_written', 'Readings written to the time series since the start', count('written'));
      gauge('series_refused', 'Readings refused by the time series since the start', count('refused'));
      gauge('series_failures', 'Writes to the time series failed in a row', count('failures'));
    }
    if (observed.certificateDays) {
      gauge('certificate_expiry_days', 'Days until the certificate expires', observed.certificateDays);
    }
  }
}
