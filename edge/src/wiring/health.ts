import { type Finding, Health, type HealthReport } from '@gridtokenx/runtime/core';
import type { GatewayFindings } from '../domain/gateway.js';

/** Names the conditions of a gateway; docs/health.md has a row for each. */
export const GATEWAY_CONDITIONS = [
  'enrolment',
  'meters',
  'restored image',
  'background work',
  'spool',
  'broker connection',
  'oracles',
  'another gateway',
  'clock',
  'clock step',
  'buses',
  'certificate',
  'raw frames',
  'disk space',
] as const;
export type GatewayCondition = (typeof GATEWAY_CONDITIONS)[number];

/** Names the parts of the gateway that health inspects. */
export interface GatewayParts {
  readonly gateway: { findings(): GatewayFindings };
  /** Meters of which nothing is acknowledged, and oracles of another key. */
  readonly oracles: () => readonly string[];
  readonly buses: () => readonly string[];
  readonly certificate: () => Finding;
  readonly frames: { readonly problem: string | null };
  readonly diskSpace: () => string | null;
  /** Real time, ms. */
  readonly now: () => number;
}

/** Reports the health of a gateway. */
export interface GatewayHealth {
  report(): HealthReport;
  /** Lists the problems that the gateway publishes. An offline gateway's list omits its connection. */
  problems(isOnline: boolean): readonly string[];
}

export function gatewayHealth(parts: GatewayParts): GatewayHealth {
  const { gateway } = parts;
  const found = (pick: (findings: GatewayFindings) => Finding) => () => pick(gateway.findings());
  const checks: Record<GatewayCondition, () => Finding> = {
    enrolment: found(({ enrolment }) => enrolment),
    meters: found(({ meters }) => meters),
    'restored image': found(({ restored }) => restored),
    'background work': found(({ background }) => background),
    spool: found(({ spool }) => spool),
    'broker connection': found(({ broker }) => broker),
    oracles: parts.oracles,
    'another gateway': found(({ clone }) => clone),
    clock: found(({ clock }) => clock),
    'clock step': found(({ step }) => step),
    buses: parts.buses,
    certificate: parts.certificate,
    'raw frames': () => parts.frames.problem,
    'disk space': parts.diskSpace,
  };
  const health = new Health(checks, parts.now);
  const lasting = new Health({ ...checks, 'broker connection': () => null }, parts.now);
  return {
    report: () => health.report(),
    problems: (isOnline) => (isOnline ? health : lasting).report().problems,
  };
}
