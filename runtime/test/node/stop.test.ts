import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { beforeEach, describe, expect, test } from 'vitest';
import { runService, type StopIo, stopSignal } from '../../src/node/index.js';

let clock: VirtualClock;
let listeners: Map<string, () => void>;
let did: string[];
let io: StopIo;
beforeEach(() => {
  clock = new VirtualClock();
  listeners = new Map();
  did = [];
  io = {
    on: (event, listener) => void listeners.set(event, listener),
    err: (text) => void did.push(text),
    exit: (code) => void did.push(`exit ${code}`),
    send: (message) => void did.push(JSON.stringify(message)),
    clock,
  };
});
const happens = (event: string) => listeners.get(event)?.();

describe('the signal to stop', () => {
  test.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGINT', 'SIGINT'],
    ['disconnect', 'parent gone'],
  ])('comes with %s', (event, why) => {
    const signal = stopSignal(5_000, io);
    expect(signal.aborted).toBe(false);
    happens(event);
    expect([signal.aborted, signal.reason]).toEqual([true, why]);
  });

  test('a second one ends the process at once; two within a second are one', () => {
    stopSignal(5_000, io);
    happens('SIGINT');
    clock.advanceNow(999);
    happens('SIGINT');
    happens('disconnect');
    expect(did).toEqual([]);
    clock.advanceNow(1);
    happens('SIGTERM');
    expect(did).toEqual(['exit 143']);
  });

  test('a stop that takes too long is ended', () => {
    stopSignal(5_000, io);
    happens('SIGTERM');
    clock.advanceNow(4_999);
    expect(did).toEqual([]);
    clock.advanceNow(1);
    expect(did).toEqual(['not stopped within 5 s: ended\n', 'exit 0']);
  });

  test('nothing is bounded before it', () => {
    stopSignal(5_000, io);
    expect(clock.pending).toBe(0);
  });
});

describe('a service', () => {
  const log = {
    info: (fields: object, message: string) => void did.push(`${message} ${JSON.stringify(fields)}`),
    flush: () => void did.push('flushed'),
  };
  const service = { ready: { port: 5 }, stop: async () => void did.push('stopped') };

  test('tells its parent when it is ready, and stops when it is told to', async () => {
    const ended = runService('broker', log, async () => service, io);
    await clock.settle();
    expect(did).toEqual(['{"type":"ready","port":5}']);
    happens('SIGTERM');
    await ended;
    expect(did.slice(1)).toEqual(['broker stops {"event":"service_stopping","why":"SIGTERM"}', 'stopped', 'flushed']);
  });

  test('that is told to stop while it starts stops as soon as it has', async () => {
    let started = (_: typeof service) => {};
    const starting = new Promise<typeof service>((resolve) => {
      started = resolve;
    });
    const ended = runService('broker', log, () => starting, io);
    happens('SIGINT');
    started(service);
    await ended;
    expect(did).toEqual(['broker stops {"event":"service_stopping","why":"SIGINT"}', 'stopped', 'flushed']);
  });

  test('that cannot start, or cannot stop, rejects', async () => {
    await expect(runService('b', log, () => Promise.reject(new Error('no port')), io)).rejects.toThrow('no port');
    const bad = { stop: () => Promise.reject(new Error('stuck')) };
    const ended = runService('b', log, async () => bad, io);
    await clock.settle();
    happens('SIGTERM');
    await expect(ended).rejects.toThrow('stuck');
    expect(did.at(-1)).toBe('flushed');
  });
});
