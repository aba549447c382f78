import { asPublicKeyText } from '@gridtokenx/protocol';
import { describe, expect, test } from 'vitest';
import { SessionWatch } from '../../src/domain/live/session-watch.js';

const FIRST = asPublicKeyText(new Uint8Array(32).fill(1));
const SECOND = asPublicKeyText(new Uint8Array(32).fill(2));

/** Plays sessions of one gateway, 30 s apart; returns the gateways that are named at the end. */
function played(...sessions: string[]): string[] {
  const watch = new SessionWatch();
  for (const [i, session] of sessions.entries()) watch.heard(FIRST, session, 30_000 * i);
  return watch.alternating(30_000 * sessions.length);
}

describe('two sessions of one key', () => {
  test('by turns are named, and ten minutes after the last turn no more', () => {
    expect(played('a', 'b', 'a')).toEqual([FIRST]);
    const watch = new SessionWatch();
    for (const [i, session] of ['a', 'b', 'a', 'b'].entries()) watch.heard(FIRST, session, 1_000 * i);
    expect(watch.alternating(602_999)).toEqual([FIRST]);
    expect(watch.alternating(603_000)).toEqual([]);
  });

  test('of two gateways are nothing to name', () => {
    const watch = new SessionWatch();
    for (const gateway of [FIRST, SECOND, FIRST, SECOND]) watch.heard(gateway, `own of ${gateway}`, 0);
    expect(watch.alternating(1)).toEqual([]);
  });

  test('one after the other are a gateway that connects again', () => {
    expect(played('a', 'a', 'b', 'b', 'c', 'd', 'd')).toEqual([]);
    expect(played(...Array.from({ length: 100 }, (_, i) => `session ${i}`))).toEqual([]);
  });
});
