import type { GatewayStatus } from '@gridtokenx/protocol';
import { VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { expect, it } from 'vitest';
import { GatewayStatuses } from '../../src/domain/live/state.js';

const KEY = new Uint8Array(32).fill(7);
const status = (session: string, online: boolean, more: Partial<GatewayStatus> = {}) => {
  return { online, session, version: '1', ...more } satisfies GatewayStatus;
};

it('knows when a lost gateway was last there: by what its session said, or by the will alone', () => {
  const statuses = new GatewayStatuses(new VirtualClock());
  const shown = () => statuses.list().map(({ online, since_ms, known_ms }) => [online, since_ms, known_ms]);
  const will = status('a', false, { sinceMs: 1_000, statedMs: 1_000 });
  // Only the retained will, after a start of the oracle.
  statuses.status(KEY, will);
  expect(shown()).toEqual([[false, 1_000, 1_000]]);
  statuses.status(KEY, status('a', true, { sinceMs: 1_000, statedMs: 31_000 }));
  statuses.heard(KEY);
  expect(shown()).toEqual([[true, 1_000, 31_000]]);
  statuses.status(KEY, will);
  expect(shown()).toEqual([[false, 1_000, 31_000]]);
  // Another session tells nothing of the first.
  statuses.status(KEY, status('b', false, { sinceMs: 500, statedMs: 500 }));
  expect(shown()).toEqual([[false, 500, 500]]);
  statuses.status(KEY, status('c', true));
  expect(shown()).toEqual([[true, null, null]]);
  statuses.status(KEY, null);
  expect(shown()).toEqual([[false, null, null]]);
});
