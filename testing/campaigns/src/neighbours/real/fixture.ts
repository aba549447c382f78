import { join } from 'node:path';
import { toHex } from '@gridtokenx/protocol';
import { until } from '@gridtokenx/testing-kit/until';
import { ChainView } from '../../kill/chain-view.js';
import { sleep } from '../../kill/system.js';
import { Attacker, type Orders, publicKeyOf } from './attacker.js';
import { deploymentOf, HOMES, keysOf, meterIdOf, NEIGHBOURS, profilesIn, SPEED } from './cast.js';
import { Stack } from './stack.js';
import { standingOf } from './standing.js';
import { MEASURED, type Neighbour, percentile, Watch } from './watch.js';

/** Duration of the honest load before any measurement, in ms: the same load as during an attack. */
const WARM_UP_MS = 10_000;
const SETTLED_MS = 60_000;
const LOOK_MS = 200;

/** A running stack whose neighbours are settled, with the resources that its services use without an attack. */
export class Fixture {
  readonly stack: Stack;
  readonly neighbours: readonly Neighbour[];
  /** Highest resident memory before the first attack, by process. */
  readonly baseline: Readonly<Record<string, number>>;
  /** Slot page of all homes. */
  readonly page: number;

  /** 95th percentile of the API's answers before the first attack, in milliseconds. */
  readonly apiP95: number;

  private constructor(stack: Stack, neighbours: readonly Neighbour[], before: Watch) {
    this.stack = stack;
    this.neighbours = neighbours;
    this.baseline = { ...before.memory };
    this.apiP95 = percentile(before.took('API'), 95);
    this.page = neighbours[0]?.view.page ?? 0;
  }

  static async start(name: string, speed = SPEED): Promise<Fixture> {
    const stack = await Stack.start(name, speed);
    try {
      const profiles = profilesIn(join(stack.folder, 'profile.csv'));
      const homes = Array.from({ length: NEIGHBOURS }, (_, i) => i + 1);
      const views = await new ChainView(stack.urls.rpc).meters(homes.map((home) => meterIdOf(stack.data, home)));
      const neighbours = homes.flatMap((home, i): Neighbour[] => {
        const [view, profile] = [views[i], profiles.get(home)];
        return view && profile ? [{ home, view, profile }] : [];
      });
      const watch = new Watch(stack, neighbours);
      await until('the neighbours are settled', async () => (await watch.state())?.behind === 0, SETTLED_MS);
      watch.begin();
      await sleep(WARM_UP_MS);
      await watch.stop();
      return new Fixture(stack, neighbours, watch);
    } catch (error) {
      await stack.end();
      throw error;
    }
  }

  /** Returns a home that has not turned hostile yet; null when none is left. */
  nextTurncoat(): number | null {
    for (let home = NEIGHBOURS + 1; home <= HOMES; home++) if (!this.stack.spent.has(home)) return home;
    return null;
  }

  /** `mayLump`: see `Watch`. */
  watch(mayLump = false): Watch {
    return new Watch(this.stack, this.neighbours, mayLump);
  }

  /** Makes a home turn hostile. */
  attack(home: number, plan: Pick<Orders, 'seed' | 'acts' | 'actMs'>): Attacker {
    const { stack } = this;
    stack.spent.add(home);
    const { networkId, broker } = deploymentOf(stack.data);
    return new Attacker({
      ...plan,
      keys: keysOf(stack.data, home),
      neighbour: publicKeyOf(keysOf(stack.data, 1).gatewaySeed),
      urls: stack.urls,
      broker,
      networkId: toHex(networkId),
      page: this.page,
      clockFile: join(stack.data, 'clock.json'),
      standing: standingOf(stack.data, home),
    });
  }

  /**
   * Returns milliseconds until all neighbours are settled with everything minted; null when that takes longer than
   * `patienceMs`.
   */
  async healed(watch: Watch, patienceMs: number): Promise<number | null> {
    for (const began = Date.now(); Date.now() - began < patienceMs; await sleep(LOOK_MS)) {
      const state = await watch.state();
      if (state && state.behind <= 1 && state.isMinted) return Date.now() - began;
    }
    return null;
  }

  /** Checks each process's memory against `factor` times its memory before the attack. */
  memoryFaults(watch: Watch, factor: number): string[] {
    return MEASURED.flatMap((name) => {
      const [seen, before] = [watch.memory[name] ?? 0, this.baseline[name] ?? 0];
      const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`;
      return seen > factor * before ? [`memory of the ${name}: ${mib(seen)}, before the attack ${mib(before)}`] : [];
    });
  }
}
