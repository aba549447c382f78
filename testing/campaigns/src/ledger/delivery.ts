import { concatBytes, type Verifier } from '@gridtokenx/protocol';
import { at, Random } from '@gridtokenx/testing-kit/random';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { addFigures } from '../campaign.js';
import { Bench, type Packet } from './bench.js';
import { LaggingRegistry } from './registry.js';
import { type Summary, summarise } from './summary.js';
import { type Item, START_MS, type World } from './world.js';

/** Course of one delivery, beside its result. */
export interface Delivered {
  readonly summary: Summary;
  readonly figures: Readonly<Record<string, number>>;
}

/** Dependencies of a delivery beside the world. */
export interface Means {
  readonly verifier: Verifier;
  /** Returns a new file for the ledger, or ':memory:'. */
  readonly path: () => string;
}

const ORDERS = ['shuffled', 'merged', 'reversed', 'jittered', 'late half'] as const;
type Order = (typeof ORDERS)[number];
const IN_A_PACKET = 20;

/** Runs callbacks of promises that are already settled. */
async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}

/**
 * Delivers the reference: everything once, in order, with registry and clock as they are at the end, without a kill.
 */
export async function deliverInOrder(world: World, { verifier, path }: Means): Promise<Summary> {
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const registry = new LaggingRegistry(world.meters, world.facts, clock);
  registry.advanceTo(world.facts.length);
  const lost = () => {
    throw new Error('the reference lost a message');
  };
  const bench = new Bench<Item>({ path: path(), registry, verifier, clock, readingMs: world.finalAtMs, onLost: lost });
  try {
    await refresh(registry, clock, bench);
    for (const packet of packets(world, world.items, () => IN_A_PACKET)) {
      bench.receive(packet);
      clock.advanceNow(1);
    }
    await finish(world, registry, clock, bench);
    return summarise(world, bench);
  } finally {
    bench.close();
  }
}

/** Delivers the same in one random way: order, duplicates, packets, lag of the registry, kills, full disks. */
export async function deliverSomehow(world: World, attempt: number, means: Means): Promise<Delivered> {
  const random = new Random(world.seed, `delivery ${attempt}`);
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const registry = new LaggingRegistry(world.meters, world.facts, clock);
  const queue: Packet<Item>[] = [];
  const figures: Record<string, number> = {};
  const count = (name: string, n = 1) => addFigures(figures, { [name]: n });
  const onLost = (lost: readonly Packet<Item>[]) => {
    count('deliveries lost and sent again', lost.length);
    // The gateway received no ack, so it sends again, sooner or later.
    for (const packet of lost) queue.splice(random.int(0, queue.length), 0, packet);
  };
  // At times the clock stands at the day's start and nearly all messages come from the future.
  const initialMs = random.chance(0.2) ? START_MS : random.int(START_MS, world.finalAtMs);
  const bench = new Bench<Item>({
    path: means.path(),
    registry,
    verifier: means.verifier,
    clock,
    readingMs: initialMs,
    onLost,
  });
  try {
    const order = random.pick(ORDERS);
    count(`order: ${order}`);
    const sent = sequence(world, random, order);
    const size = random.pick([1, 1, 5, IN_A_PACKET, 200]);
    queue.push(...packets(world, sent.items, () => random.int(1, size)));
    const total = queue.length;
    const kills = random.chance(0.7) ? random.int(1, 6) / total : 0;
    const faults = random.chance(0.5) ? random.int(1, 6) / total : 0;
    for (let step = 0; queue.length > 0; step++) {
      const packet = at(queue, 0);
      queue.shift();
      const done = Math.min(1, step / total);
      bench.readingMs = Math.max(bench.readingMs, Math.floor(initialMs + (world.finalAtMs - initialMs) * done));
      registry.advanceTo(Math.max(sent.factsBy(done), factOf(packet)));
      bench.receive(packet);
      count('packets');
      count('deliveries', packet.items.length);
      clock.advanceNow(random.chance(0.02) ? random.int(500, 2_500) : random.chance(0.3) ? random.int(1, 8) : 0);
      if (random.chance(0.05)) void registry.refresh();
      if (registry.isAsked && random.chance(0.1)) {
        registry.answer(random.chance(0.8));
        await settle();
      }
      if (random.chance(faults) && step < 2 * total) {
        bench.failsNext = true;
        count('disk failures');
      }
      if (random.chance(kills) && step < 2 * total) {
        registry.forget();
        bench.restart();
        count('restarts');
      }
    }
    bench.failsNext = false;
    bench.flush();
    if (queue.length > 0) throw new Error('messages remain undelivered');
    await finish(world, registry, clock, bench);
    count('answers of the registry', registry.answers);
    return { summary: summarise(world, bench), figures };
  } finally {
    bench.close();
  }
}

/** Requests the registry's state, and lets the answer arrive. */
async function refresh(registry: LaggingRegistry, clock: VirtualClock, bench: Bench<Item>): Promise<void> {
  registry.answer(false);
  await settle();
  clock.advanceNow(10);
  void registry.refresh();
  registry.answer(true);
  await settle();
  bench.reconsider();
}

/** Lets time pass and the registry catch up until nothing waits for either. */
async function finish(world: World, registry: LaggingRegistry, clock: VirtualClock, bench: Bench<Item>): Promise<void> {
  bench.readingMs = world.finalAtMs;
  registry.advanceTo(world.facts.length);
  bench.flush();
  for (let i = 0; i < 3; i++) {
    await refresh(registry, clock, bench);
    clock.advanceNow(1_100);
  }
}

function factOf(packet: Packet<Item>): number {
  return Math.max(0, ...packet.items.map((item) => (item.fact === null ? 0 : item.fact + 1)));
}

/** Returns the items in the order of a delivery, some of them twice, and the number of facts on chain at each. */
function sequence(world: World, random: Random, order: Order): { items: Item[]; factsBy: (done: number) => number } {
  const twice = random.pick([0, 0.05, 0.3]);
  const all = world.items.flatMap((item) => (random.chance(twice) ? [item, item] : [item]));
  const facts = world.facts.map(() => random.fraction() * 0.9).sort((a, b) => a - b);
  const items = arranged(all, random, order);
  // An item that needs a fact must follow it: moves behind the place of the fact.
  const ready: Item[] = [];
  const held: { place: number; item: Item }[] = [];
  items.forEach((item, index) => {
    const from = item.fact === null ? 0 : Math.ceil((facts[item.fact] ?? 0) * items.length);
    if (index >= from) ready.push(item);
    else held.push({ place: random.int(from, items.length), item });
  });
  for (const { place, item } of held) ready.splice(Math.min(place, ready.length), 0, item);
  return { items: ready, factsBy: (done) => facts.filter((when) => when <= done).length };
}

function arranged(items: readonly Item[], random: Random, order: Order): Item[] {
  const by = (key: (index: number) => number) =>
    items
      .map((item, index) => ({ item, key: key(index) }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
  switch (order) {
    case 'shuffled':
      return random.shuffled(items);
    case 'reversed':
      return [...items].reverse();
    case 'jittered':
      return by((index) => index + random.int(0, 30));
    case 'late half': {
      const late = new Set(items.map((item) => item.gateway).filter(() => random.chance(0.5)));
      return by((index) => index + (late.has(items[index]?.gateway ?? 0) && random.chance(0.5) ? items.length : 0));
    }
    case 'merged':
      return merged(items, random);
  }
}

/** Keeps each meter's items in order, and mixes the meters at random. */
function merged(items: readonly Item[], random: Random): Item[] {
  const queues = new Map<number, Item[]>();
  for (const item of items) queues.set(item.meter, [...(queues.get(item.meter) ?? []), item]);
  const turns = random.shuffled(items.map((item) => item.meter));
  const next = new Map<number, number>();
  return turns.map((meter) => {
    const index = next.get(meter) ?? 0;
    next.set(meter, index + 1);
    return at(queues.get(meter) ?? [], index);
  });
}

/** Groups neighbours of one gateway and meter into packets of at most 200. */
function* packets(world: World, items: readonly Item[], size: () => number): Generator<Packet<Item>> {
  let group: Item[] = [];
  let wanted = size();
  for (const item of items) {
    const first = group[0];
    const isSame = first && first.gateway === item.gateway && first.meter === item.meter && !first.isRaw;
    if (first && (!isSame || item.isRaw || group.length >= wanted)) {
      yield packetOf(world, group);
      group = [];
      wanted = size();
    }
    group.push(item);
  }
  if (group.length > 0) yield packetOf(world, group);
}

function packetOf(world: World, items: readonly Item[]): Packet<Item> {
  const { gateway, meter } = at(items, 0);
  return {
    gateway: at(world.gateways, gateway),
    meter: at(world.meters, meter).record.meterId,
    bytes: concatBytes(...items.map((item) => item.bytes)),
    items,
  };
}
