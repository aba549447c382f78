import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import type { Connection } from '@solana/web3.js';
import { describe, expect, it } from 'vitest';
import { RpcRegistry } from '../../src/adapters/chain/registry.js';

const EVERY_MS = 60_000;

/** A registry whose node answers when the test says so. */
function slowRegistry() {
  const answers: ((isWell: boolean) => void)[] = [];
  const getProgramAccounts = () =>
    new Promise((resolve, reject) => {
      answers.push((isWell) => (isWell ? resolve({ context: { slot: 1 }, value: [] }) : reject(new Error('away'))));
    });
  const clock = new VirtualClock();
  return {
    registry: new RpcRegistry({ getProgramAccounts } as unknown as Connection, clock, quietLog, [], null),
    clock,
    answers,
  };
}

describe('polling the registry', () => {
  it.each([true, false])('sets no timer once it is stopped during a fetch (answered: %s)', async (isWell) => {
    const { registry, clock, answers } = slowRegistry();
    registry.poll(EVERY_MS);
    registry.stop();
    answers[0]?.(isWell);
    await clock.settle();
    expect([answers.length, clock.pending]).toEqual([1, 0]);
  });

  it.each([true, false])('goes on until it is stopped (answered: %s)', async (isWell) => {
    const { registry, clock, answers } = slowRegistry();
    registry.poll(EVERY_MS);
    answers[0]?.(isWell);
    await clock.settle();
    expect(clock.nextDueAtMs).toBe(EVERY_MS);
    await clock.advance(EVERY_MS);
    expect(answers.length).toBe(2);
    answers[1]?.(isWell);
    await clock.settle();
    registry.stop();
    expect(clock.pending).toBe(0);
  });
});
