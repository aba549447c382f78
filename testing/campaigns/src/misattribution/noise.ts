import { burst, flipped } from '@gridtokenx/simulators';
import { Random } from '@gridtokenx/testing-kit/random';
import { withCrc } from '#edge/domain/bus/crc.js';
import type { ReadRequest } from '#edge/domain/bus/frames.js';
import { RtuFraming } from '#edge/domain/bus/framing.js';
import { ReplyQuarantine } from '#edge/domain/bus/reply-quarantine.js';
import type { Outcome } from '../campaign.js';

/** Damage beyond what a CRC-16 always finds. */
const NOISE: Readonly<Record<string, (frame: Uint8Array, random: Random) => Uint8Array>> = {
  '4 to 40 flipped bits': (frame, random) => flipped(frame, random.int(4, 40), random),
  'bursts of 18 to 64 bits': (frame, random) => burst(frame, random.int(18, 64), random),
  'another body': (frame, random) => {
    const bytes = random.bytes(frame.length);
    bytes.set(frame.subarray(0, HEADER));
    return bytes;
  },
};
const HEADER = 3;
const REGISTERS = 20;
/** Number of noises tried on one answer. */
const SAME = 64;
/** Share of noisy frames with a right beginning that a CRC of 16 bits accepts. */
const RESIDUE = 2 ** -16;
/** A count this many standard deviations above the expected count is a fault. */
const MAX_SIGMAS = 6;

/**
 * Plays heavier noise than a CRC-16 always finds, judged by the port's own framing: it must accept 2^-16 of the frames.
 */
export function playNoise(seed: number, frames: number): Outcome {
  const random = new Random(seed, 'misattribution/noise');
  const faults: string[] = [];
  const figures: Record<string, number> = {};
  const framing = new RtuFraming(new ReplyQuarantine({ quarantineMs: 0, quarantineTimeouts: 12 }));
  for (const [name, disturb] of Object.entries(NOISE)) {
    let judged = 0;
    let passed = 0;
    const ask: ReadRequest = { unit: 1, fn: 4, address: 0, count: REGISTERS };
    let frame: Uint8Array = new Uint8Array(0);
    for (let i = 0; i < frames; i++) {
      if (i % SAME === 0) frame = withCrc(Uint8Array.of(1, 4, 2 * REGISTERS, ...random.bytes(2 * REGISTERS)));
      const noisy = disturb(frame, random);
      // Where unit, function or length are wrong, nothing reads the CRC as that of the answer.
      if (noisy.subarray(0, HEADER).some((byte, at) => byte !== frame[at])) continue;
      judged++;
      if (framing.judge(noisy, ask, 0).what === 'answer') passed++;
    }
    const expected = judged * RESIDUE;
    figures[`noise: ${name}: judged by CRC`] = judged;
    figures[`noise: ${name}: passed`] = passed;
    if (passed > expected + MAX_SIGMAS * Math.sqrt(expected) + 1)
      faults.push(`noise: ${passed} of ${judged} frames with ${name} passed; ${expected.toFixed(1)} were expected`);
  }
  return { faults, figures };
}
