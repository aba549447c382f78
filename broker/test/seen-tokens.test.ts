import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SeenTokens } from '../src/domain/seen-tokens.js';

describe('SeenTokens', () => {
  const token = (notBefore: number) => ({ nonce: randomBytes(16), notBefore, endsAt: notBefore + 3_600 });

  it('is never good twice, and never locks out who makes new ones', () => {
    const seen = new SeenTokens({ perKey: 256, total: 1_000 });
    const used = [];
    for (let i = 0; i < 2_000; i++) {
      const next = token(1_000 + i);
      expect(seen.use('key', next, 1_000 + i)).toBe(true);
      used.push(next);
    }
    expect(used.some((old) => seen.use('key', old, 3_000))).toBe(false);
    expect(seen.size).toBeLessThanOrEqual(256);
  });

  it('refuses the 257th of one second, until the next', () => {
    const seen = new SeenTokens({ perKey: 256, total: 1_000 });
    const answers = Array.from({ length: 300 }, () => seen.use('key', token(1_000), 1_000));
    expect(answers.filter(Boolean)).toHaveLength(256);
    expect(seen.use('key', token(1_001), 1_001)).toBe(true);
  });

  it('is bounded over all keys, and one that churns pays with its own', () => {
    const seen = new SeenTokens({ perKey: 256, total: 300 });
    const kept = token(1_000);
    seen.use('quiet', kept, 1_000);
    for (let i = 0; i < 2_000; i++) seen.use(`key ${i % 3}`, token(1_001 + i), 1_001 + i);
    expect(seen.size).toBeLessThanOrEqual(300);
    expect(seen.use('quiet', kept, 3_001)).toBe(false);
  });

  it('loses nothing to the replay of a token that it forgot', () => {
    const seen = new SeenTokens({ perKey: 2, total: 2 });
    const tokens = [1_000, 1_001, 1_002].map(token);
    expect(tokens.map((next) => seen.use('key', next, 1_002))).toEqual([true, true, true]);
    expect(seen.size).toBe(2);
    // Both are as old as the forgotten token, and only the first was used.
    for (const old of [tokens[0], token(1_000)]) expect(old && seen.use('key', old, 1_002)).toBe(false);
    expect(seen.size).toBe(2);
  });

  it('refuses a token that is as old as the oldest of a full key', () => {
    const seen = new SeenTokens({ perKey: 2, total: 9 });
    expect([1_000, 1_001, 1_000].map((second) => seen.use('key', token(second), 1_001))).toEqual([true, true, false]);
    expect(seen.use('key', token(1_001), 1_001)).toBe(true);
  });

  it('remembers as many as the total, and takes the next from the key that has most', () => {
    const seen = new SeenTokens({ perKey: 9, total: 3 });
    const [few, old, young] = [token(1_000), token(1_001), token(1_002)];
    seen.use('few', few, 1_002);
    for (const one of [old, young]) seen.use('many', one, 1_002);
    expect([seen.size, seen.keys]).toEqual([3, 2]);
    expect(seen.use('next', token(1_002), 1_002)).toBe(true);
    expect([seen.size, seen.keys]).toEqual([3, 3]);
    // Only the key that had most lost a token: it refuses every other token of that second.
    expect(seen.use('many', token(1_001), 1_002)).toBe(false);
    expect(seen.use('few', few, 1_002)).toBe(false);
  });

  it('forgets a token in the second in which it ends, before it drops one that lasts', () => {
    const [ended, lasting] = [token(1_000), token(1_001)];
    const own = new SeenTokens({ perKey: 9, total: 9 });
    own.use('a', ended, 1_001);
    own.use('a', token(4_600), ended.endsAt);
    expect(own.size).toBe(1);
    const other = new SeenTokens({ perKey: 9, total: 2 });
    other.use('a', ended, 1_001);
    other.use('b', lasting, 1_001);
    other.use('c', token(4_600), ended.endsAt);
    expect([other.size, other.keys, other.use('b', lasting, ended.endsAt)]).toEqual([2, 2, false]);
  });

  it('forgets what has ended', () => {
    const seen = new SeenTokens({ perKey: 256, total: 300 });
    for (let i = 0; i < 200; i++) seen.use(`key ${i}`, token(1_000), 1_000);
    for (let i = 0; i < 200; i++) seen.use(`other ${i}`, token(10_000), 10_000);
    expect(seen.size).toBe(200);
    expect(seen.keys).toBe(200);
  });

  it("refuses a dropped token also after others took all of its key's room, until it ends", () => {
    const seen = new SeenTokens({ perKey: 9, total: 2 });
    const first = token(1_000);
    for (const key of ['a', 'b', 'c', 'd']) expect(seen.use(key, key === 'a' ? first : token(1_001), 1_001)).toBe(true);
    expect(seen.use('a', first, 1_002)).toBe(false);
    // The memory of a floor ends with the last token that it stands for.
    for (const key of ['e', 'f', 'g']) seen.use(key, token(5_000), first.endsAt + 1);
    expect(seen.keys).toBeLessThanOrEqual(4);
  });
});
