import { ModelSendNode, type ModelTransaction } from '@gridtokenx/testing-kit/send-node';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NodeUnavailable, PATIENCE_MS, RESEND_MS, Sender, type Stored, type Work } from '../src/index.js';

type Kept = ModelTransaction & Stored;
type Done = { readonly kind: 'done' } | { readonly kind: 'idle' };

class Crash extends Error {}

/** A disk: what was committed survives a crash. The crash comes before or after one of its commits, or at a call of the node. */
class World {
  readonly node = new ModelSendNode();
  readonly orders: number;
  nowMs = 0;
  /** Counts down with each call of a port; the process dies at 0. */
  fuse = Number.POSITIVE_INFINITY;
  readonly rows: { intent: Kept; status: 'open' | 'landed' | 'failed' | 'lapsed' }[] = [];
  sender = this.start();

  constructor(orders: number) {
    this.orders = orders;
  }

  #call<T>(work: () => T): T {
    if (--this.fuse === 0) throw new Crash('killed before');
    const result = work();
    if (--this.fuse === 0) {
      // Nobody hears the answer.
      if (result instanceof Promise) result.catch(() => undefined);
      throw new Crash('killed after');
    }
    return result;
  }

  get isDone(): boolean {
    return Array.from({ length: this.orders }, (_, i) => i + 1).every((order) =>
      this.rows.some(({ intent, status }) => intent.order === order && status === 'landed'),
    );
  }

  /** A new process on the same disk. */
  start(): Sender<ModelTransaction, Kept, null, Done> {
    const { node } = this;
    this.sender = new Sender<ModelTransaction, Kept, null, Done>({
      node: {
        send: (raw) => this.#call(() => node.send(raw)),
        outcome: (signature) => this.#call(() => node.outcome(signature)),
        blockhashState: (use) => this.#call(() => node.blockhashState(use)),
      },
      store: {
        nonce: () => this.rows.length + 1,
        open: () => this.rows.find(({ status }) => status === 'open')?.intent,
        add: (intent, nowMs) =>
          this.#call(() => {
            expect(this.rows.every(({ status }) => status !== 'open')).toBe(true);
            const kept: Kept = { ...intent, id: this.rows.length + 1, createdAtMs: nowMs };
            this.rows.push({ intent: kept, status: 'open' });
            return kept;
          }),
      },
      work: this.#work(),
      clock: { nowMs: () => this.nowMs },
      pollMs: 25,
    });
    return this.sender;
  }

  #work(): Work<ModelTransaction, Kept, null, Done> {
    const end = (intent: Kept, status: 'landed' | 'failed' | 'lapsed') =>
      this.#call((): Done => {
        for (const row of this.rows) if (row.intent.id === intent.id) row.status = status;
        return { kind: 'done' };
      });
    return {
      next: async (nonce) => {
        const order = Array.from({ length: this.orders }, (_, i) => i + 1).find(
          (one) => !this.rows.some(({ intent, status }) => intent.order === one && status === 'landed'),
        );
        return order === undefined ? { step: { kind: 'idle' } } : { send: this.node.build(order, nonce()) };
      },
      stored: () => {},
      landed: async (intent) => end(intent, 'landed'),
      failed: (intent) => end(intent, 'failed'),
      // The chain's state tells: here, by the effect.
      lapsed: async (intent) => end(intent, (this.node.effects.get(intent.order) ?? 0) > 0 ? 'landed' : 'lapsed'),
    };
  }

  /** One step, and the same again after a kill or an error of the node. */
  async step(): Promise<void> {
    try {
      await this.sender.step();
    } catch (error) {
      if (error instanceof Crash) this.start();
      else if (!(error instanceof NodeUnavailable)) throw error;
    }
  }
}

/** Lists events that may happen between two steps. */
type Event = { readonly kind: string; readonly apply: (world: World) => void };
const event = (kind: string, apply: (world: World) => void): Event => ({ kind, apply });
const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 40 }).map((n) => event(`pass ${n}`, ({ node }) => node.pass(n))) },
  {
    weight: 6,
    arbitrary: fc.integer({ min: 1, max: 2 * RESEND_MS }).map((ms) =>
      event(`wait ${ms}`, (world) => {
        world.nowMs += ms;
      }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 8 }).map((n) =>
      event(`kill at call ${n}`, (world) => {
        world.fuse = n;
      }),
    ),
  },
  fc.constantFrom(
    event('away', ({ node }) => {
      node.isAway = true;
    }),
    event('back', ({ node }) => {
      node.isAway = false;
    }),
    event('losing', ({ node }) => {
      node.isLosing = true;
    }),
    event('not losing', ({ node }) => {
      node.isLosing = false;
    }),
    event('failing', ({ node }) => {
      node.isFailing = true;
    }),
    event('not failing', ({ node }) => {
      node.isFailing = false;
    }),
    event('expire', ({ node }) => node.expire()),
  ),
);

describe('the sender', () => {
  it('sends each order with effect exactly once, whatever fails and wherever it is killed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(events, { maxLength: 60 }),
        async (orders, happenings) => {
          const world = new World(orders);
          for (const { apply } of happenings) {
            apply(world);
            await world.step();
            for (const n of world.node.effects.values()) expect(n).toBe(1);
          }
          // All is well again: it must come to an end.
          Object.assign(world.node, { isAway: false, isLosing: false, isFailing: false });
          world.fuse = Number.POSITIVE_INFINITY;
          for (let i = 0; !world.isDone && i < 500; i++) {
            world.nowMs += RESEND_MS;
            world.node.pass(1);
            await world.step();
          }
          expect([...world.node.effects]).toEqual(Array.from({ length: orders }, (_, i) => [i + 1, 1]));
          expect(world.isDone).toBe(true);
        },
      ),
      { numRuns: Number(process.env.GTX_RUNS ?? 400) },
    );
  });

  it('heals a kill before or after every call of a port', async () => {
    for (let fuse = 1; fuse <= 30; fuse++) {
      const world = new World(2);
      world.fuse = fuse;
      for (let i = 0; !world.isDone && i < 50; i++) {
        world.nowMs += RESEND_MS;
        world.node.pass(1);
        await world.step();
      }
      expect([...world.node.effects], `killed at ${fuse}`).toEqual([
        [1, 1],
        [2, 1],
      ]);
    }
  });

  it('hands the same bytes over again, every half second', async () => {
    const world = new World(1);
    world.node.isLosing = true;
    await world.step();
    for (let ms = 0; ms < 2_000; ms += 25) {
      world.nowMs += 25;
      await world.step();
    }
    expect(world.node.sent.length).toBe(1 + 2_000 / RESEND_MS);
    expect(new Set(world.node.sent.map((raw) => new TextDecoder().decode(raw))).size).toBe(1);
    expect(world.rows.length).toBe(1);
  });

  it('asks for the state of the blockhash before the outcome', async () => {
    const world = new World(1);
    await world.step();
    // It lands in the last block for which it can, between the two questions.
    const { node } = world;
    const state = node.blockhashState.bind(node);
    const asked = new Sender<ModelTransaction, Kept, null, string>({
      node: {
        send: (raw) => node.send(raw),
        outcome: (signature) => node.outcome(signature),
        blockhashState: async (use) => {
          const found = await state(use);
          node.pass(151);
          return found;
        },
      },
      store: { nonce: () => 1, open: () => world.rows[0]?.intent, add: () => expect.fail('nothing new') },
      work: {
        next: () => expect.fail('nothing new'),
        stored: () => {},
        landed: async () => 'landed',
        failed: () => 'failed',
        lapsed: async () => 'lapsed',
      },
      clock: { nowMs: () => 0 },
      pollMs: 25,
    });
    expect(await asked.step()).toBe('landed');
  });

  it('believes a node that does not know the blockhash after some seconds, not before', async () => {
    const world = new World(1);
    world.node.isLosing = true;
    await world.step();
    world.node.forget();
    world.nowMs += 1_000;
    await world.step();
    world.nowMs += PATIENCE_MS - 1;
    await world.step();
    expect(world.rows.map(({ status }) => status)).toEqual(['open']);
    world.nowMs += 1;
    await world.step();
    expect(world.rows.map(({ status }) => status)).toEqual(['lapsed']);
  });

  it('a transaction that a restarted node forgot is not sent again with effect: the state of the chain tells', async () => {
    const world = new World(1);
    await world.step();
    world.node.pass(1);
    world.node.forget();
    for (let i = 0; !world.isDone && i < 20; i++) {
      world.nowMs += RESEND_MS;
      await world.step();
    }
    expect([...world.node.effects]).toEqual([[1, 1]]);
    expect(world.isDone).toBe(true);
  });
});
