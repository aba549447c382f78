import { type Finding, Health, type HealthReport } from '@gridtokenx/runtime/core';

/** The conditions of the broker; docs/health.md has a row for each. */
export const BROKER_CONDITIONS = ['listener', 'keys file', 'certificate'] as const;
export type BrokerCondition = (typeof BROKER_CONDITIONS)[number];

/** Names the parts of the broker that health checks. */
export interface BrokerParts {
  readonly server: { readonly listening: boolean };
  readonly keys: { readonly problem: string | null };
  readonly certificate: () => Finding;
  /** Real time, ms. */
  readonly now: () => number;
}

/** The health of the broker. */
export function brokerHealth({ server, keys, certificate, now }: BrokerParts): { report(): HealthReport } {
  const checks: Record<BrokerCondition, () => Finding> = {
    listener: () => (server.listening ? null : 'MQTT is not served'),
    'keys file': () => keys.problem,
    certificate,
  };
  return new Health(checks, now);
}
