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

  it('forgets what has ended', () => {
    const seen = new SeenTokens({ perKey: 256, total: 300 });
    for (let i = 0; i < 200; i++) seen.use(`key ${i}`, token(1_000), 1_000);
    for (let i = 0; i < 200; i++) seen.use(`other ${i}`, token(10_000), 10_000);
    expect(seen.size).toBe(200);
    expect(seen.keys).toBe(200);
  });
});
