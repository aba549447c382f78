import { Random } from '@gridtokenx/testing-kit/random';
import { addFigures, type Campaign, type Outcome } from '../../campaign.js';
import { sleep } from '../../kill/system.js';
import { drawKind } from '../../kinds.js';
import { CODE } from './code.js';
import { realControls, sabotage } from './controls.js';
import { Fixture } from './fixture.js';
import { judge, MAX_HEAL_MS } from './judge.js';
import { MEASURED, percentile } from './watch.js';

/** Kinds of attacks that once stopped other homes, by the hostile home's act. */
export const ATTACKS = ['backlog', 'time', 'rate', 'subscriptions', 'halfOpen', 'logFlood', 'tokenReplay'] as const;
const KINDS = ATTACKS.map((name) => ({ name, seeds: 1 }));
const ATTACK_MS = 180_000;
/** A window is nine seconds: a killed service needs some to restart. */
const ATTACK_SPEED = 100;
/**
 * Maximum number of windows behind: a killed service restarts after some seconds, and settlement then attests window by
 * window.
 */
const MAX_BEHIND = 6;
/** Conditions that must be well again when the neighbours are. */
const CONDITIONS = ['ledger writes', 'ledger file', 'registry', 'node', 'settler', 'page behind', 'time series'];

let fixture: Fixture | null = null;

/** Returns a seed's attack, its kill and the time of the kill. */
export function attackOf(seed: number, attackMs = ATTACK_MS) {
  const random = new Random(seed, 'attack');
  const name: string = sabotage()?.acts[0] ?? drawKind(seed, KINDS, 'attacks').name;
  const killed = random.pick(MEASURED);
  return { name, killed, killAfterMs: random.int(Math.floor(attackMs * 0.4), Math.floor(attackMs * 0.6)) };
}

/** Returns conditions of the oracle's health that are wrong and must not be. */
async function unwell(page: string): Promise<string[]> {
  const response = await fetch(`${page}/readyz`, { signal: AbortSignal.timeout(5_000) });
  const { conditions } = (await response.json()) as { conditions: { name: string; problem: string | null }[] };
  return conditions.flatMap(({ name, problem }) =>
    problem !== null && CONDITIONS.includes(name) ? [`health: ${name}: ${problem}`] : [],
  );
}

/**
 * Plays one attack, with a kill -9 in its middle: its effects are bounded while it lasts, and gone soon after its end.
 */
export async function runAttack(seed: number, attackMs = ATTACK_MS): Promise<Outcome> {
  const { name, killed, killAfterMs } = attackOf(seed, attackMs);
  if (fixture?.stack.hasEnded || fixture?.nextTurncoat() === null) await endFixture();
  fixture ??= await Fixture.start(`attacks-${seed}`, ATTACK_SPEED);
  const home = fixture.nextTurncoat() ?? 0;
  const watch = fixture.watch(true);
  const diskBefore = fixture.stack.bytesIn('oracle');
  const figures: Record<string, number> = {};
  watch.begin();
  const attacker = fixture.attack(home, { seed, acts: [name], actMs: attackMs });
  try {
    const [done] = await Promise.all([attacker.done, sleep(killAfterMs).then(() => fixture?.stack.kill(killed))]);
    addFigures(figures, done);
    const healedMs = await fixture.healed(watch, MAX_HEAL_MS);
    const faults = await unwell(fixture.stack.urls.page).catch((error: Error) => [`health: ${error.message}`]);
    watch.attackersMs = attacker.cpuMs;
    await watch.stop();
    const disk = fixture.stack.bytesIn('oracle') - diskBefore;
    const bounds = { behind: MAX_BEHIND, isApiJudged: false };
    faults.push(...judge(fixture, watch, { sent: figures.messages ?? 0, diskBytes: disk }, bounds));
    // A restarted broker knows no tokens: used tokens are valid once more, within their hour.
    if (figures.breaches && killed !== 'broker') faults.push(`${figures.breaches} used tokens let somebody in`);
    if (healedMs === null) faults.push(`not healed ${MAX_HEAL_MS / 1_000} s after the attack`);
    const told = underName(name, figures);
    Object.assign(told, {
      [`${name}: ${killed} killed after ms`]: killAfterMs,
      [`${name}: healed after ms`]: healedMs ?? MAX_HEAL_MS,
      [`${name}: windows behind at most`]: watch.behind,
      [`${name}: API p95 ms`]: Math.round(percentile(watch.took('API'), 95)),
      [`${name}: kB of logs a minute`]: Math.round(watch.logBytesPerMinute / 1_000),
      [`${name}: MiB of the ledger's folder`]: Math.round(disk / 1_048_576),
      [`${name}: rises`]: watch.rises,
      [`${name}: percent of the machine in others' hands`]: Math.round(100 * watch.foreign),
    });
    for (const part of MEASURED)
      told[`${name}: memory of the ${part}, percent of before`] = Math.round(
        (100 * (watch.memory[part] ?? 0)) / (fixture.baseline[part] ?? 1),
      );
    if (faults.length > 0) {
      faults.push(`attack ${name}, home ${home}; kept in ${fixture.stack.folder}`);
      await fixture.stack.end(true);
      fixture = null;
    }
    return { faults, figures: told };
  } finally {
    attacker.end();
    await watch.stop();
  }
}

/** Puts the attack's own counts under its name: each seed is another attack, so sums over all mean nothing. */
function underName(name: string, figures: Readonly<Record<string, number>>): Record<string, number> {
  const own = Object.entries(figures).filter(([key]) => !key.startsWith('act '));
  return Object.fromEntries(own.map(([key, value]) => [`${name}: ${key}`, value]));
}

async function endFixture(): Promise<void> {
  await fixture?.stack.end();
  fixture = null;
}

export const attacksCampaign: Campaign = {
  name: 'attacks',
  about: 'each attack for three minutes, broker or oracle killed in its middle: bounded, and healed within ten seconds',
  seeds: ATTACKS.length,
  secondsPerSeed: 420,
  seedsPerProcess: 5,
  workers: 1,
  code: CODE,
  controls: realControls,
  run: (seed) => runAttack(seed),
  end: endFixture,
  review: () => [],
};
