import { setTimeout as delay } from 'node:timers/promises';
import type { Agent } from './agents.js';
import type { Span } from './arrivals.js';

/** Durations of the bench, s. */
export interface Times {
  /** Run of an agent before its CPU time counts. */
  readonly warmUp: number;
  /** Span over which its CPU time counts. */
  readonly measured: number;
  /** Time without a broker; the agent is killed in its middle. */
  readonly outage: number;
  /** Longest time in which an agent may send what it kept. */
  readonly drain: number;
}

/** Bounds the wait for the first value of every meter, s. */
const MAX_FIRST_SECONDS = 120;
/** Time between the warm-up and the kill of the broker, s. */
const CALM = 5;
const nowSecond = () => Math.floor(Date.now() / 1_000);
const seconds = (count: number) => delay(count * 1_000);

/** Cost of an agent over a measured span. */
export interface Cost {
  /** Cores: CPU seconds a second. */
  readonly cores: number;
  /** CPU time of each value's arrival, microseconds. */
  readonly cpuUs: number;
  readonly peakMb: number;
  /** Seconds of a meter without a value, as a part of all. */
  readonly absent: number;
}

/** Runs an agent with its broker and measures it from its warm-up on. */
export async function measureCost(agent: Agent, meters: number, times: Times): Promise<Cost> {
  const broker = await agent.startBroker();
  const running = await agent.start();
  try {
    await allHeard(agent, meters);
    await seconds(times.warmUp);
    const [from, cpuBefore] = [nowSecond(), running.cpuMs() ?? Number.NaN];
    const began = performance.now();
    await seconds(times.measured);
    const wallMs = performance.now() - began;
    const cpuMs = (running.cpuMs() ?? Number.NaN) - cpuBefore;
    const to = nowSecond();
    const peakMb = running.peakMb() ?? Number.NaN;
    await drained(agent, { from, to }, times.drain);
    const absent = agent.arrivals.missing({ from, to }).reduce((sum, list) => sum + list.length, 0);
    const values = meters * (to - from) - absent;
    return { cores: cpuMs / wallMs, cpuUs: (1_000 * cpuMs) / values, peakMb, absent: absent / (meters * (to - from)) };
  } finally {
    await running.stop();
    await broker.stop();
  }
}

/** Seconds without a value, after a broker and an agent were killed. */
export interface Hole {
  /** Seconds of a meter without a value while the agent was away, and at any other time; the mean and the most. */
  readonly own: { readonly mean: number; readonly most: number };
  readonly other: { readonly mean: number; readonly most: number };
  /** Time from the kill of the agent to the first value that it read afterwards, s. */
  readonly away: number;
  readonly lost: number;
  readonly contradicted: number;
  readonly repeated: number;
  readonly peakMb: number;
}

/**
 * Kills the broker for a time, and in its middle the agent, which is started again at once. Waits until what was kept
 * has arrived, and counts the seconds without a value.
 */
export async function measureHole(agent: Agent, meters: number, times: Times): Promise<Hole> {
  let broker = await agent.startBroker();
  let running = await agent.start();
  try {
    await allHeard(agent, meters);
    await seconds(times.warmUp);
    const from = nowSecond();
    await seconds(CALM);
    await broker.kill();
    await seconds(times.outage / 2);
    const killed = nowSecond();
    await running.kill();
    running = await agent.start();
    await seconds(times.outage / 2);
    broker = await agent.startBroker();
    const to = nowSecond();
    await drained(agent, { from, to }, times.drain);
    const back = agent.arrivals.firstSecond(killed + 1) ?? to;
    const isOwn = (second: number) => second >= killed && second <= back;
    const missing = agent.arrivals.missing({ from, to });
    const { contradicted, repeated } = agent.arrivals;
    return {
      own: summary(missing.map((list) => list.filter(isOwn).length)),
      other: summary(missing.map((list) => list.filter((second) => !isOwn(second)).length)),
      ...{ away: back - killed, lost: agent.arrivals.lost(), contradicted, repeated },
      peakMb: running.peakMb() ?? Number.NaN,
    };
  } finally {
    await running.stop();
    await broker.stop();
  }
}

const summary = (counts: readonly number[]) => ({
  mean: counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length),
  most: Math.max(0, ...counts),
});

/** Waits until every meter has a value of this run. Rejects after two minutes. */
export async function allHeard({ arrivals, name }: Pick<Agent, 'arrivals' | 'name'>, meters: number): Promise<void> {
  const since = nowSecond();
  for (let waited = 0; waited < MAX_FIRST_SECONDS; waited++) {
    const now = nowSecond() + 1;
    const silent = arrivals.missing({ from: since, to: now }).filter((list) => list.length === now - since).length;
    if (arrivals.meterCount >= meters && silent === 0) return;
    await seconds(1);
  }
  throw new Error(`${name} gave no value of ${meters - arrivals.meterCount} meters in ${MAX_FIRST_SECONDS} s`);
}

/** Seconds without a new value of a span after which nothing more is expected: a sign-in may rest for 30 s. */
const STILL = 45;

/** Waits until the values of a span have arrived, or none did for a time; at most `most` seconds. */
async function drained({ arrivals }: Agent, span: Span, most: number): Promise<void> {
  let [before, unchanged] = [-1, 0];
  for (let waited = 0; waited < most && unchanged < STILL && before !== 0; waited++) {
    await seconds(1);
    const absent = arrivals.missing(span).reduce((sum, { length }) => sum + length, 0);
    unchanged = absent === before ? unchanged + 1 : 0;
    before = absent;
  }
}
