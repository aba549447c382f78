import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findMosquitto, MOSQUITTO_MISSING } from './brokers.js';
import { type Agent, gatewayAgent, telegrafAgent } from './fleet/agents.js';
import { type Cost, type Hole, measureCost, measureHole, type Times } from './fleet/phases.js';
import { startMeters } from './fleet/site.js';
import { findTelegraf } from './fleet/telegraf.js';
import { type BenchRow, figure, median, ratioText } from './table.js';

/** Size of the bench; a test plays a small one. */
export interface FleetPlan {
  readonly meters: number;
  readonly rounds: number;
  readonly times: Times;
  /** Plays Telegraf, too. */
  readonly hasPeer: boolean;
}

const PLAN: FleetPlan = {
  meters: 500,
  rounds: 3,
  times: { warmUp: 10, measured: 30, outage: 60, drain: 120 },
  hasPeer: true,
};
const TELEGRAF_MISSING = 'Telegraf cannot be built: see testing/campaigns/peers/telegraf.sh';

/**
 * Reads 500 meters of Modbus TCP once a second by the gateway, which signs and syncs each reading, and by Telegraf in
 * turn. Then kills each one's broker for a minute, and the agent in between, and counts the seconds without a value.
 */
export async function benchMeters500(folder: string, plan: FleetPlan = PLAN): Promise<BenchRow[]> {
  const { meters: count } = plan;
  const programs = plan.hasPeer ? peerPrograms() : null;
  const meters = await startMeters(count);
  const agents: Agent[] = [];
  try {
    const own = await gatewayAgent(join(folder, 'gateway'), meters.ports);
    agents.push(own);
    for (const strategy of programs ? (['memory', 'disk'] as const) : []) {
      const place = join(folder, `telegraf-${strategy}`);
      mkdirSync(place);
      if (programs) agents.push(await telegrafAgent(place, meters.ports, programs, strategy));
    }
    const costs = new Map<Agent, Cost[]>(agents.slice(0, 2).map((agent) => [agent, []]));
    for (let round = 0; round < plan.rounds; round++)
      for (const [agent, list] of costs) list.push(await measureCost(agent, count, plan.times));
    const holes: [Agent, Hole][] = [];
    for (const agent of agents) holes.push([agent, await measureHole(agent, count, plan.times)]);
    return [...costRows([...costs]), ...holes.flatMap(([agent, hole]) => holeRows(agent, hole))];
  } finally {
    for (const agent of agents) await agent.close();
    await meters.end();
  }
}

function peerPrograms(): { telegraf: string; mosquitto: string } {
  const mosquitto = findMosquitto();
  if (!mosquitto) throw new Error(MOSQUITTO_MISSING);
  const telegraf = findTelegraf();
  if (!telegraf) throw new Error(TELEGRAF_MISSING);
  return { telegraf, mosquitto };
}

function costRows([[, own] = [null, []], peer]: readonly (readonly [Agent | null, readonly Cost[]])[]): BenchRow[] {
  const peers = peer?.[1] ?? [];
  const beat = (what: keyof Cost, unit: string, of: (values: readonly number[]) => number = median) =>
    peers.length === 0 ? '' : `${figure(of(peers.map((cost) => cost[what])))} ${unit}, Telegraf`;
  const values = (what: keyof Cost) => own.map((cost) => cost[what]);
  const most = (list: readonly number[]) => Math.max(...list);
  const row = (name: string, value: number, unit: string, toBeat: string, goal = ''): BenchRow => ({
    ...{ name, value, unit, toBeat, goal },
  });
  const ratios = own.flatMap(({ cpuUs }, i) => (peers[i] ? [cpuUs / peers[i].cpuUs] : []));
  return [
    row('CPU', median(values('cores')), 'cores', beat('cores', 'cores'), '<= 1'),
    row('CPU for a value of a meter and second', median(values('cpuUs')), 'us', beat('cpuUs', 'us')),
    ...(ratios.length > 0 ? [row('  as part of Telegraf', median(ratios), '', ratioText(ratios))] : []),
    row('largest memory', most(values('peakMb')), 'MB', beat('peakMb', 'MB', most), '<= 200'),
    row('seconds without a value', 100 * median(values('absent')), '%', beatPercent(peers)),
  ];
}

const beatPercent = (peers: readonly Cost[]) =>
  peers.length === 0 ? '' : `${figure(100 * median(peers.map(({ absent }) => absent)))} %, Telegraf`;

function holeRows({ name, arrivals }: Agent, hole: Hole): BenchRow[] {
  const isOwn = name === 'the gateway';
  const row = (what: string, value: number, unit: string, toBeat: string, goal = ''): BenchRow => ({
    ...{ name: `${name}: ${what}`, value, unit, toBeat, goal },
  });
  const { own, other, away, lost, contradicted, repeated, peakMb } = hole;
  const rows = [
    row('seconds missing of a meter, the agent running', other.mean, 's', `most ${other.most} s`, isOwn ? '<= 0' : ''),
    row('seconds missing of a meter, the agent killed', own.mean, 's', `most ${own.most} s, away ${away} s`),
    row('largest memory after it', peakMb, 'MB', ''),
  ];
  if (!isOwn) return rows;
  return [
    ...rows,
    row('seqs lost and undeclared', lost, '', `of ${arrivals.readings} readings`, '<= 0'),
    row('seqs with two contents', contradicted, '', `${repeated} sent again`, '<= 0'),
  ];
}
