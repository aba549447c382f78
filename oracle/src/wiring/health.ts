import { type Finding, Health, type HealthReport } from '@gridtokenx/runtime';
import type { Settlements } from '../domain/live/ports.js';
import type { Registry } from '../domain/ports.js';

/** A registry is read every 3 s; an older state counts as outdated. Real milliseconds. */
export const MAX_REGISTRY_AGE_MS = 60_000;
/** Covers 20,000 signatures: some days of a page of 256 homes. Lamports. */
export const MIN_BALANCE_LAMPORTS = 100_000_000;

/** The conditions of an oracle; docs/health.md has a row for each. */
export const ORACLE_CONDITIONS = [
  'broker connection',
  'ledger writes',
  'ledger file',
  'registry',
  'registry age',
  'certificate',
  'node',
  'page settlement',
  'mint',
  'page behind',
  'attestor balance',
  'co-signers',
  'disputes',
  'dispute deadline',
  'dispute watch',
  'chain snapshot',
  'time series',
  'clock',
  'quota',
  'copied keys',
  'disk space',
] as const;
export type OracleCondition = (typeof ORACLE_CONDITIONS)[number];

/** Names the parts of the service that health looks at. */
export interface OracleParts {
  readonly broker: { readonly isConnected: boolean; readonly problem: string | null };
  readonly intake: { readonly failures: number };
  readonly database: { damage(): string | null };
  readonly registry: Pick<Registry, 'asOf' | 'problem'>;
  readonly certificate: () => Finding;
  readonly settlements: Pick<Settlements, 'chainHealth'>;
  readonly series: { problem(): string | null };
  readonly clock: { check(): string | null };
  /** Meters that send more than their quota, in words. */
  readonly overQuota: () => Finding;
  /** Keys that two gateways use, in words. */
  readonly copiedKeys: () => Finding;
  readonly diskSpace: () => string | null;
  /** Returns real time, ms. */
  readonly now: () => number;
}

/** Builds the health report of an oracle. */
export function oracleHealth(parts: OracleParts): { report(): HealthReport } {
  const { broker, intake, database, registry, settlements, now } = parts;
  const chain = () => settlements.chainHealth();
  const checks: Record<OracleCondition, () => Finding> = {
    'broker connection': () => (broker.isConnected ? null : (broker.problem ?? 'no connection to the broker')),
    'ledger writes': () => (intake.failures === 0 ? null : 'the ledger cannot be written'),
    'ledger file': () => {
      const damage = database.damage();
      return damage && `the ledger ${damage}: stop the oracle and move it aside with "gridtokenx-oracle set-aside"`;
    },
    registry: () => (registry.asOf.fetchedAtMs > 0 ? registry.problem : 'the registry was not read yet'),
    'registry age': () => registryAge(registry, now()),
    certificate: parts.certificate,
    node: () => chain()?.node,
    'page settlement': () => chain()?.pauses,
    mint: () => chain()?.mints,
    'page behind': () => chain()?.behind,
    'attestor balance': () => balance(chain()?.balanceLamports ?? null),
    'co-signers': () => chain()?.cosigners,
    disputes: () => chain()?.disputes,
    'dispute deadline': () => chain()?.deadlines,
    'dispute watch': () => chain()?.watching && `disputes are not watched: ${chain()?.watching}`,
    'chain snapshot': () => chain()?.snapshot && `the chain takes no snapshot: ${chain()?.snapshot}`,
    'time series': () => parts.series.problem(),
    clock: () => parts.clock.check(),
    quota: parts.overQuota,
    'copied keys': parts.copiedKeys,
    'disk space': parts.diskSpace,
  };
  // A home can cause this with its own key: the oracle stays ready for all others.
  return new Health(checks, now, ['copied keys']);
}

function registryAge({ asOf, problem }: Pick<Registry, 'asOf' | 'problem'>, now: number): Finding {
  const ageMs = now - asOf.fetchedAtMs;
  // A registry that forgot meters stays at its last whole state; another condition names it.
  if (asOf.fetchedAtMs === 0 || problem || ageMs <= MAX_REGISTRY_AGE_MS) return null;
  return `the registry was last read ${Math.round(ageMs / 1_000)} s ago`;
}

function balance(lamports: number | null): Finding {
  if (lamports === null || lamports >= MIN_BALANCE_LAMPORTS) return null;
  return `the attestor has ${lamports / 1e9} SOL: send it some before its signatures end`;
}
