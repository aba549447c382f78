import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { AckingOracle } from './fleet/acking-oracle.js';
import { ourBroker } from './fleet/agents.js';
import { allHeard } from './fleet/phases.js';
import { openSite, startMeters } from './fleet/site.js';
import type { Measured } from './processes.js';
import type { BenchRow } from './table.js';

/** Size of the bench; a test plays a small one. */
export interface TwoBrokersPlan {
  readonly meters: number;
  /** Time before the first broker dies, and time without it, s. */
  readonly before: number;
  readonly dead: number;
}

const PLAN: TwoBrokersPlan = { meters: 50, before: 10, dead: 180 };
/** Newest seconds that may still be on their way, s. */
const LATEST = 5;
const nowSecond = () => Math.floor(Date.now() / 1_000);

/**
 * Kills the first of a gateway's two brokers, and counts what reaches the oracle through the second. The gateway tries the
 * first again after ten minutes only, so that nothing else happens in a longer outage up to then.
 */
export async function benchTwoBrokers(folder: string, plan: TwoBrokersPlan = PLAN): Promise<BenchRow[]> {
  const meters = await startMeters(plan.meters);
  const running: Measured[] = [];
  try {
    const own = `${folder}/gateway`;
    mkdirSync(own);
    const site = await openSite(own, meters.ports);
    const first = await ourBroker(own, 'first', site.gateway);
    const second = await ourBroker(own, 'second', site.gateway);
    const dying = await first.start();
    running.push(dying, await second.start());
    const oracle = new AckingOracle([first.port, second.port]);
    try {
      const url = await oracle.start();
      await site.enrol({ key: oracle.signer.publicKey, url }, [first.port, second.port]);
      running.push(await site.start());
      return await outage(oracle, { ...plan, secondPort: second.port }, () => dying.kill());
    } finally {
      await oracle.close();
    }
  } finally {
    for (const one of running) await one.stop();
    await meters.end();
  }
}

async function outage(
  oracle: AckingOracle,
  { meters, before, dead, secondPort }: TwoBrokersPlan & { readonly secondPort: number },
  kill: () => Promise<void>,
): Promise<BenchRow[]> {
  const { arrivals } = oracle;
  await allHeard({ name: 'the gateway', arrivals }, meters);
  const from = nowSecond();
  await delay(before * 1_000);
  const killedAtMs = Date.now();
  await kill();
  await delay(dead * 1_000);
  const to = nowSecond();
  await delay(LATEST * 1_000);
  const firstAtMs = oracle.firstAtMs.get(secondPort) ?? Number.POSITIVE_INFINITY;
  const missing = arrivals.missing({ from, to }).map(({ length }) => length);
  const absent = missing.reduce((sum, length) => sum + length, 0);
  const row = (name: string, value: number, unit: string, toBeat: string, goal = ''): BenchRow => ({
    ...{ name, value, unit, toBeat, goal },
  });
  const outOf = `of ${meters * (to - from)}`;
  return [
    row('first reading through the second broker', (firstAtMs - killedAtMs) / 1_000, 's after the kill', '', '<= 60'),
    row('seqs lost and undeclared', arrivals.lost(), '', `of ${arrivals.readings} readings`, '<= 0'),
    row('seqs with two contents', arrivals.contradicted, '', `${arrivals.repeated} sent again`, '<= 0'),
    row('seconds of a meter without a reading', absent, '', outOf),
  ];
}
