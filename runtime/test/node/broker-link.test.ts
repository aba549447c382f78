import { ed25519Signer, openToken } from '@gridtokenx/protocol';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/index.js';
import {
  BrokerLink,
  type BrokerLinkOptions,
  type MqttSession,
  provedVerifier,
  type SessionOptions,
} from '../../src/node/index.js';

const signer = ed25519Signer(new Uint8Array(32).fill(3));
const START_MS = 1_800_000_000_000;
let clock: VirtualClock;
let did: string[];
let sessions: FakeSession[];
/** Outcomes of the next attempts to connect; without one, a session begins. */
let outcomes: (Error | 'hangs')[];
let stop: AbortController;

class FakeSession implements MqttSession {
  readonly options: SessionOptions;
  readonly ended: Promise<string>;
  end: (reason: string) => void = () => {};
  /** Steps that are not answered. */
  silent = '';
  constructor(options: SessionOptions) {
    this.options = options;
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }
  #step(what: string): Promise<void> {
    did.push(what);
    return this.silent !== '' && what.startsWith(this.silent) ? new Promise(() => {}) : Promise.resolve();
  }
  subscribe(topics: readonly string[]): Promise<void> {
    return this.#step(`subscribe ${topics.join()}`);
  }
  publish(
    topic: string,
    payload: Uint8Array | string,
    { qos, retain }: { qos: 0 | 1; retain: boolean },
  ): Promise<void> {
    return this.#step(`publish ${topic} ${String(payload)} ${qos}${retain ? ' retained' : ''}`);
  }
  async close(): Promise<void> {
    await this.#step('close');
    this.end('stopped');
  }
  abort(): void {
    did.push('abort');
    this.end('aborted');
  }
}

beforeEach(() => {
  clock = new VirtualClock({ startAtMs: START_MS });
  [did, sessions, outcomes] = [[], [], []];
  stop = new AbortController();
});

function linkOf(change: Partial<BrokerLinkOptions> = {}): BrokerLink {
  return new BrokerLink({
    url: 'mqtt://127.0.0.1:1',
    broker: 'dev',
    signer,
    clock,
    random: fixedRandom(1, 1 - 2 ** -32),
    log: {
      ...silentLogger,
      debug: (fields, message) => void did.push(`detail: ${message} ${fields.waitMs}`),
      info: (_fields, message) => void did.push(message),
      warn: (fields, message) => void did.push(`${message} ${fields.waitMs}`),
    },
    subscriptions: ['a/b', 'c/#'],
    status: { topic: 'status', text: (isOnline) => (isOnline ? 'online' : 'offline') },
    onMessage: () => {},
    onConnected: () => void did.push('connected'),
    onDisconnected: (problem) => void did.push(problem),
    open: async (_url, options) => {
      const outcome = outcomes.shift();
      if (outcome instanceof Error) throw outcome;
      const session = new FakeSession(options);
      sessions.push(session);
      if (outcome === 'hangs') session.silent = 'subscribe';
      return session;
    },
    ...change,
  });
}

describe('a connection', () => {
  test('that is wanted at once does not wait for its back-off, which begins anew', async () => {
    outcomes = Array.from({ length: 20 }, () => new Error('refused'));
    const link = linkOf();
    const running = link.run(stop.signal);
    await clock.advance(10_000);
    expect(outcomes.length).toBe(14);
    link.retryNow();
    await clock.advance(0);
    expect(outcomes.length).toBe(13);
    await clock.advance(250);
    expect(outcomes.length).toBe(12);
    outcomes = [];
    link.retryNow();
    await clock.advance(0);
    expect(link.isConnected).toBe(true);
    stop.abort();
    await running;
  });

  test('subscribes, publishes its status and is there then; its farewell is the other one', async () => {
    const link = linkOf();
    expect([link.state, link.problem]).toEqual(['connecting', 'not connected to the broker yet']);
    const running = link.run(stop.signal);
    await clock.advance(0);
    expect(did).toEqual([
      'subscribe a/b,c/#',
      'publish status online 1 retained',
      'Connected to the broker',
      'connected',
    ]);
    expect([link.isConnected, link.problem, sessions[0]?.options.will]).toEqual([
      true,
      null,
      { topic: 'status', payload: 'offline' },
    ]);
    did = [];
    stop.abort();
    await running;
    expect(did).toEqual(['publish status offline 1 retained', 'close']);
    expect([link.state, link.problem, clock.pending]).toEqual(['stopped', null, 0]);
  });

  test('has a token of its own, for this broker and this key', async () => {
    const bytes = { ...fixedRandom(), count: 0 };
    const random = { ...bytes, bytes: (n: number) => new Uint8Array(n).fill(bytes.count++) };
    const link = linkOf({ random });
    const running = link.run(stop.signal);
    await clock.advance(0);
    sessions[0]?.end('gone');
    await clock.advance(1_000);
    expect(sessions).toHaveLength(2);
    const nonces = sessions.map(({ options }) => {
      expect([options.clientId, options.username]).toEqual([link.name, link.name]);
      const token = openToken(options.password, signer.publicKey, provedVerifier(), {
        broker: 'dev',
        clientId: link.name,
        nowSeconds: Math.floor(clock.nowMs() / 1000),
        leewaySeconds: 0,
      });
      return token.nonce.join();
    });
    expect(new Set(nonces).size).toBe(2);
    stop.abort();
    await running;
  });

  test('is made again with longer and longer pauses, each reason being said once', async () => {
    const refused = () => new Error('refused');
    outcomes = [refused(), refused(), refused(), new Error('timed out')];
    const link = linkOf();
    const running = link.run(stop.signal);
    await clock.advance(0);
    expect([link.state, link.problem]).toEqual(['waiting', 'no connection to the broker: refused']);
    await clock.advance(250 + 500 + 1_000);
    expect(did.filter((line) => line.startsWith('Cannot open a session'))).toEqual([
      'Cannot open a session with the broker: trying again 250',
      'Cannot open a session with the broker: trying again 2000',
    ]);
    await clock.advance(2_000);
    expect(link.isConnected).toBe(true);
    // A session that lasted begins anew, and so does what was said.
    await clock.advance(60_000);
    sessions[0]?.end('closed by the broker');
    await clock.advance(0);
    expect(did.slice(-2)).toEqual([
      'Cannot open a session with the broker: trying again 250',
      'the connection to the broker ended: closed by the broker',
    ]);
    stop.abort();
    await running;
    expect(link.problem).toBeNull();
  });

  test('that a broker ends soon after the sign-in counts as a failed one', async () => {
    const link = linkOf();
    const running = link.run(stop.signal);
    const waits = async (upMs: number, waitMs: number) => {
      await clock.advance(upMs);
      sessions.at(-1)?.end('closed by the broker');
      await clock.advance(0);
      expect(did.filter((line) => line.includes('Cannot open a session')).at(-1)).toMatch(new RegExp(` ${waitMs}$`));
      await clock.advance(waitMs);
      expect(link.isConnected).toBe(true);
    };
    await waits(0, 250);
    await waits(0, 500);
    await waits(29_999, 1_000);
    await waits(30_000, 250);
    stop.abort();
    await running;
  });

  test('that hangs in a step is given up', async () => {
    outcomes = ['hangs'];
    const link = linkOf();
    const running = link.run(stop.signal);
    await clock.advance(14_999);
    expect(link.isConnected).toBe(false);
    await clock.advance(1);
    expect(link.problem).toBe('no connection to the broker: the broker gave no answer within 15 s');
    expect(did).toContain('abort');
    stop.abort();
    await running;
  });
});

describe('a stop', () => {
  test('does not wait for a connection that is being opened, and drops it when it comes', async () => {
    let opened = (_: MqttSession) => {};
    const open = () =>
      new Promise<MqttSession>((resolve) => {
        opened = resolve;
      });
    const running = linkOf({ open }).run(stop.signal);
    await clock.advance(0);
    stop.abort();
    await running;
    opened(new FakeSession({} as SessionOptions));
    await clock.settle();
    expect(did).toEqual(['abort']);
  });

  test('does not wait for the back-off', async () => {
    outcomes = [new Error('refused')];
    const running = linkOf().run(stop.signal);
    await clock.advance(1);
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });

  test.each(['publish status offline', 'close'])(
    'waits a second for a broker that does not answer "%s"',
    async (silent) => {
      const running = linkOf().run(stop.signal);
      await clock.advance(0);
      (sessions[0] as FakeSession).silent = silent;
      stop.abort();
      await clock.advance(1_000);
      await running;
      expect(clock.pending).toBe(0);
    },
  );
});

describe('publishing', () => {
  test('goes through the session, QoS 1 without more', async () => {
    const link = linkOf();
    await expect(link.publish('t', 'x')).rejects.toThrow('not connected to the broker yet');
    const running = link.run(stop.signal);
    await clock.advance(0);
    did = [];
    await link.publish('t', 'x');
    await link.publish('t', 'y', { qos: 0, retain: true });
    expect(did).toEqual(['publish t x 1', 'publish t y 0 retained']);
    stop.abort();
    await running;
    await expect(link.publish('t', 'x')).rejects.toThrow('stopped');
  });

  test('without an answer drops the connection', async () => {
    const link = linkOf();
    const running = link.run(stop.signal);
    await clock.advance(0);
    (sessions[0] as FakeSession).silent = 'publish t';
    const sent = link.publish('t', 'x').catch((error: Error) => error.message);
    await clock.advance(15_000);
    expect(await sent).toBe('the broker gave no answer within 15 s');
    expect(link.problem).toBe('the connection to the broker ended: aborted');
    stop.abort();
    await running;
  });

  test('a connection may be dropped by hand', async () => {
    const link = linkOf();
    link.drop();
    const running = link.run(stop.signal);
    await clock.advance(0);
    link.drop();
    await clock.advance(0);
    expect(link.state).toBe('waiting');
    stop.abort();
    await running;
  });
});
