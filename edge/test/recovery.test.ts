import {
  EventCode,
  encodePayload,
  GapReason,
  Kind,
  MerkleBuilder,
  type PayloadToEncode,
  Quality,
} from '@gridtokenx/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type SignedMessage, signMessage } from '../src/domain/signed-message.js';
import { RecoveryScan } from '../src/domain/signing/recovery.js';
import { METER, METER_HEX, NETWORK } from './support/messages.js';

const signer = { publicKey: new Uint8Array(32), sign: () => new Uint8Array(64) };
const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

type Step = {
  readonly kind: 'reading' | 'statement' | 'gap' | 'refused';
  readonly minutes: number;
  readonly bits: number;
};
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('reading', 'reading', 'reading', 'reading', 'statement', 'gap', 'refused'),
  minutes: fc.integer({ min: 0, max: 20 }),
  bits: fc.constantFrom(0, 0, 0, Quality.discontinuity, Quality.unsynchronised),
});

/** Builds the messages of one key, with rising seqs, as a gateway signs them. */
function messagesOf(steps: readonly Step[]): SignedMessage[] {
  let timeMs = START_MS;
  return steps.map(({ kind, minutes, bits }, i) => {
    timeMs += minutes * MINUTE_MS;
    const head = { networkId: NETWORK, meterId: METER, seq: BigInt(i + 1) };
    const rest = { importWh: BigInt(10 * i), exportWh: 0n, quality: bits, timeUncertaintyMs: i % 7 === 0 ? null : i };
    const values = { powerW: null, voltageDv: null, frequencyChz: null, bootCount: 0 };
    const prev = new Uint8Array(16);
    const statement = { window: i + 1, readingCount: 0, readingsRoot: new Uint8Array(32) };
    const data = new Uint8Array(16).fill(kind === 'refused' ? GapReason.refused : GapReason.damaged, 0, 1);
    const event = { code: EventCode.gap, value: BigInt(i + 1), detail: 3, data, prev };
    const time = { timeMs: BigInt(timeMs) };
    const payload =
      kind === 'reading'
        ? { kind: Kind.reading, ...head, ...rest, ...values, ...time, raw: new Uint8Array(4), prev }
        : kind === 'statement'
          ? { kind: Kind.statement, ...head, ...rest, ...statement }
          : { kind: Kind.event, ...head, ...rest, ...time, ...event, bootCount: 0 };
    return signMessage(encodePayload(payload as PayloadToEncode), signer);
  });
}

const resultOf = (scan: RecoveryScan) => {
  const { open, declared, refused, lastStatement, ...rest } = scan.result(METER_HEX);
  const seqs = { declared: [...declared], refused: [...refused] };
  return { ...rest, ...seqs, stated: lastStatement?.window, root: open.merkle.root(), readings: open.readings };
};

test('a scan that continues from a snapshot finds what a scan of everything finds', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, at) => {
      const messages = messagesOf(steps);
      const all = new RecoveryScan();
      for (const message of messages) all.visit(message);
      const cut = at % (messages.length + 1);
      const before = new RecoveryScan();
      for (const message of messages.slice(0, cut)) before.visit(message);
      const after = new RecoveryScan();
      expect(after.restore(before.snapshot())).toBe(true);
      // The newest record before the cut comes again, as after a write that failed.
      for (const message of messages.slice(Math.max(0, cut - 1))) after.visit(message);
      expect(resultOf(after)).toEqual(resultOf(all));
    }),
    { numRuns: 300 },
  );
});

test('at a start statements come before readings, and the open readings are the same', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const messages = messagesOf(steps);
      const [live, start] = [new RecoveryScan(), new RecoveryScan()];
      for (const message of messages) live.visit(message);
      for (const message of messages) if (message.kind !== Kind.reading) start.visit(message);
      for (const message of messages) if (message.kind === Kind.reading) start.visit(message);
      expect(resultOf(start)).toEqual(resultOf(live));
      const last = messages.findLastIndex(({ kind }) => kind === Kind.statement);
      const tree = new MerkleBuilder();
      for (const { kind, payload } of messages.slice(last + 1)) if (kind === Kind.reading) tree.add(payload);
      expect(start.result(METER_HEX).open.merkle.root()).toEqual(tree.root());
    }),
    { numRuns: 200 },
  );
});

test('a snapshot whose open readings a state file closes counts as none', () => {
  const messages = messagesOf(Array.from({ length: 6 }, () => ({ kind: 'reading', minutes: 1, bits: 0 })));
  const scan = new RecoveryScan();
  for (const message of messages) scan.visit(message);
  const continuedAt = (floor: bigint) => {
    const next = new RecoveryScan({ floor: () => floor });
    return { isDone: next.restore(scan.snapshot()), open: next.result(METER_HEX).open.merkle.count };
  };
  expect(continuedAt(0n)).toEqual({ isDone: true, open: 6 });
  expect(continuedAt(6n)).toEqual({ isDone: true, open: 0 });
  expect(continuedAt(4n)).toEqual({ isDone: false, open: 0 });
  for (const text of ['', '{}', '[{"id":"x"}]', '[1]']) expect(new RecoveryScan().restore(text)).toBe(false);
});

test('a snapshot does not grow with the number of readings', () => {
  const scan = new RecoveryScan();
  const readings = (count: number) =>
    messagesOf(Array.from({ length: count }, () => ({ kind: 'reading', minutes: 0, bits: 0 })));
  for (const message of readings(100)) scan.visit(message);
  const small = scan.snapshot().length;
  for (const message of readings(4_000).slice(100)) scan.visit(message);
  expect(scan.snapshot().length).toBeLessThan(small + 2_000);
});
