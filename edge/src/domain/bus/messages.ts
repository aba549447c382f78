import type { Bus } from './bus.js';
import type { UnitHealth } from './unit.js';

/** Requests below which shares say nothing. */
const MIN_REQUESTS = 20;
const MANY = 0.02;

/** Lists a bus's problems in plain words with what to do; empty when it is well. `nowMs`: monotonic. */
export function busProblems(bus: Bus, nowMs: number): string[] {
  const { name, stats } = bus;
  const list: string[] = [];
  if (bus.problem) list.push(`${name}: ${bus.problem}`);
  if (bus.secondMasterUntilMs > nowMs)
    list.push(
      `${name}: another device (often an inverter) polls the meters on this line; the gateway signs nothing meanwhile. Take the device off the line, or give the gateway a line of its own`,
    );
  const units = [...bus.units.values()];
  const heard = units.filter(({ silenceBeganAtMs }) => silenceBeganAtMs === null);
  if (
    stats.counts.requests >= MIN_REQUESTS &&
    stats.counts.answers === 0 &&
    stats.counts.damaged > stats.counts.timeouts
  )
    list.push(`${name}: the gateway hears only noise: are speed and parity those of the meters?`);
  for (const unit of units) list.push(...unitProblems(bus, unit, nowMs, heard.length > 0));
  return list;
}

function unitProblems(bus: Bus, health: UnitHealth, nowMs: number, othersAnswer: boolean): string[] {
  const { unit, silenceBeganAtMs, recent } = health;
  const where = `${bus.name}, unit ${unit}`;
  if (silenceBeganAtMs !== null) {
    const seconds = Math.round((nowMs - silenceBeganAtMs) / 1_000);
    const advice = othersAnswer
      ? 'other units on this line answer: is its unit number right, and is it on?'
      : bus.isNetwork
        ? 'the connection is open, but no unit answers: is the unit number right, and is the device on?'
        : 'no unit on this line answers: are the two wires swapped, or is the line cut?';
    return [`${where}: silent for ${seconds} s; ${advice}`];
  }
  const list: string[] = [];
  const share = (count: number) => count / Math.max(1, recent.requests);
  const percent = (count: number) => `${(100 * share(count)).toFixed(0)} %`;
  if (recent.requests >= MIN_REQUESTS && share(recent.damaged) > MANY)
    list.push(
      `${where}: ${percent(recent.damaged)} of its answers are damaged: ${bus.isNetwork ? 'look' : "check the line's end resistors and its shield, and look"} for two meters with one unit number`,
    );
  if (recent.requests >= MIN_REQUESTS && share(recent.exceptions) > MANY)
    list.push(
      `${where}: ${percent(recent.exceptions)} of its answers are exceptions: the meter refuses registers of its profile. Is it this model and variant? \`doctor\` names the exceptions`,
    );
  if (recent.requests >= MIN_REQUESTS && share(recent.behind) > MANY)
    list.push(
      `${where}: for ${percent(recent.behind)} of the requests the converter got no answer from the meter (exceptions 10 and 11): check the unit number, and speed and line behind the converter`,
    );
  const lateMs = bus.quarantine.longestLatenessMs(unit);
  if (recent.requests >= MIN_REQUESTS && share(recent.timeouts) > MANY)
    list.push(
      `${where}: ${percent(recent.timeouts)} of the requests bring no answer in time${lateMs > 0 ? ` (the latest came after ${lateMs.toFixed(0)} ms)` : ''}`,
    );
  return list;
}

/** Describes a bus for people and machines, in ms. */
export function busView(bus: Bus, nowMs: number): Record<string, unknown> {
  return {
    name: bus.name,
    counts: bus.stats.counts,
    idle_limit_ms: bus.idleLimitMs === null ? null : Math.round(bus.idleLimitMs),
    problems: busProblems(bus, nowMs),
    units: [...bus.units.values()].map((health) => ({
      unit: health.unit,
      answers: health.silenceBeganAtMs === null,
      timeout_ms: Math.round(health.estimate.timeoutMs()),
      turnaround_ms: health.estimate.turnaroundMs === null ? null : Math.round(health.estimate.turnaroundMs),
      longest_lateness_ms: Math.round(bus.quarantine.longestLatenessMs(health.unit)),
      quarantine_ms: Math.round(bus.quarantine.quarantineMs(health.unit)),
      held_shapes: bus.quarantine.outstanding(health.unit, nowMs),
      max_registers: health.lengths.learnt,
    })),
  };
}
