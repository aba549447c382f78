import { asPublicKeyText, signTime } from '@gridtokenx/protocol';
import { diskSpace } from '@gridtokenx/runtime/node';
import type { OracleMetrics } from '../adapters/http/metrics.js';
import type { PageServed, ServiceServed } from '../adapters/http/server.js';
import type { BrokerClient } from '../adapters/mqtt/broker-client.js';
import type { Database } from '../adapters/sqlite/database.js';
import type { SqliteViews } from '../adapters/sqlite/views.js';
import type { BackwardClock } from '../domain/intake/clock-back.js';
import type { Intake } from '../domain/intake/intake.js';
import type { Ledger } from '../domain/intake/ports.js';
import { describeSettlement, describeState, type GatewayStatuses } from '../domain/live/state.js';
import type { Registry } from '../domain/ports.js';
import type { Chain } from './chain.js';
import type { Environment } from './environment.js';
import { oracleHealth } from './health.js';
import type { Certificates } from './listeners.js';
import type { Series } from './series.js';

/** Parts of a running oracle that the listeners show. */
export interface ServedParts {
  readonly certificates: Certificates;
  readonly database: Database;
  readonly registry: Registry;
  readonly ledger: Ledger;
  readonly views: SqliteViews;
  readonly series: Series;
  readonly gateways: GatewayStatuses;
  readonly metrics: OracleMetrics;
  readonly uplink: BrokerClient;
  readonly intake: Intake;
  readonly backwards: BackwardClock;
  readonly chain: Chain;
}

/** Builds the content of both listeners, and the values that each metrics request reads. */
export function serve(around: Environment, parts: ServedParts): { page: PageServed; service: ServiceServed } {
  const { signer, clock } = around;
  const { settlements } = parts.chain;
  parts.metrics.observe({
    isBrokerConnected: () => parts.uplink.isConnected,
    ledgerFailures: () => parts.intake.failures,
    chainPending: () => settlements.chainState().pending,
    series: () => parts.series.state(),
    registryAgeMs: () => clock.nowMs() - parts.registry.asOf.fetchedAtMs,
    ...(parts.certificates.days ? { certificateDays: parts.certificates.days } : {}),
  });
  return {
    page: {
      state: stateOf(around, parts),
      settlements: (after, limit) => settlements.after(after, limit).map(describeSettlement),
      health: healthOf(around, parts),
      metrics: parts.metrics,
    },
    service: {
      cosign: parts.chain.cosign,
      time: (nonce) => signTime({ timeMs: clock.nowMs(), nonce }, signer),
    },
  };
}

function healthOf({ config, path, clock }: Environment, parts: ServedParts): PageServed['health'] {
  const { certificates, views, backwards, uplink, intake, database, registry, series, chain } = parts;
  const health = oracleHealth({
    ...{ broker: uplink, intake, database, registry, settlements: chain.settlements, series, clock: backwards },
    certificate: () => certificates.problems(),
    overQuota: () => views.overQuota(clock.nowMs()),
    copiedKeys: () => [...parts.gateways.copied(), ...views.suspended(registry)],
    diskSpace: diskSpace(path(config.data_dir), () => clock.monotonicMs()),
    now: () => clock.nowMs(),
  });
  return () => ({ ...health.report() });
}

function stateOf(around: Environment, parts: ServedParts): PageServed['state'] {
  const { networkId, verifier, signer, readingClock, clock, config } = around;
  const { registry, views, gateways, series, chain, ledger } = parts;
  const deps = {
    ...{ networkId, readingClock, clock, registry, views, gateways, settlements: chain.settlements },
    ledgerId: ledger.id,
    verifier: verifier.name,
    oracle: asPublicKeyText(signer.publicKey),
    attestor: chain.attestor,
    utcOffsetMinutes: config.clock?.utc_offset_minutes ?? 0,
    series: () => series.state(),
  };
  return () => describeState(deps);
}
