import {
  concatBytes,
  EventCode,
  GapReason,
  Kind,
  Quality,
  Reason,
  SIGN1_BYTES,
  shortHash,
  signAck,
  signToken,
  WINDOW_MS,
} from '@gridtokenx/protocol';
import { type KeyJournal, nameOf, type Signed, sign } from '@gridtokenx/testing-kit/key-log';
import { at, type Random } from '@gridtokenx/testing-kit/random';
import { DAY_MS, INITIAL_WINDOW, type Item, itemOf, type Meter, NETWORK, START_MS, signerOf } from './world.js';

/** Means of a hostile party. */
export interface Scene {
  readonly random: Random;
  readonly meter: Meter;
  readonly meters: readonly Meter[];
  readonly log: KeyJournal;
  /** The open window, and the last window of the day. */
  readonly window: number;
  readonly finalAtMs: number;
  /** Index of the fact before which this log's key is not on chain; null: the key is known from the start. */
  readonly fact: number | null;
  /** Messages of this log so far. */
  readonly said: readonly Item[];
  /** By meter: the fact that enrols it, null when it is known from the start. */
  readonly enrolledBy: ReadonlyMap<number, number>;
}

type Trick = (scene: Scene) => Item[];

/** Verdicts when the holder of a key loses its stream, whatever else was wrong. */
const LOST = [Reason.equivocation, Reason.keySuspended, Reason.wrongKey];

function own(scene: Scene, kind: string, signed: Signed, allowed: readonly number[] | null): Item {
  return itemOf(scene.meter, scene.log, signed, kind, allowed && [...allowed, ...LOST], scene.fact);
}

/** Makes an item that belongs to nobody's stream, whoever signed it. */
function foreign(
  scene: Scene,
  kind: string,
  bytes: Uint8Array,
  allowed: readonly number[],
  change?: Partial<Item>,
): Item {
  return {
    name: nameOf(shortHash(bytes)),
    bytes,
    isRaw: bytes.length % SIGN1_BYTES !== 0,
    gateway: scene.meter.gateway,
    meter: scene.meter.index,
    fact: scene.fact,
    stream: null,
    signed: null,
    allowed,
    kind,
    ...change,
  };
}

/** Returns a payload that this key signed before, for others to alter or sign again. */
function payloadOf(scene: Scene): Signed['payload'] {
  const signed = scene.said.at(-1)?.signed;
  if (!signed) throw new Error('a key says its enrolment first');
  return signed.payload;
}

/** Builds a statement of a future window, while the meter's own time stands still. */
function statementAhead(log: KeyJournal, window: number): Signed {
  const { timeMs } = log.state;
  const signed = log.statement(window);
  log.state.timeMs = timeMs;
  return signed;
}

/** Tricks of a party that holds the meter's key: the stream is theirs, and so is the damage. */
export const READING_TRICKS: Readonly<Record<string, Trick>> = {
  'equivocating reading': (scene) => {
    const { log } = scene;
    const first = log.reading();
    log.seq -= 1n;
    const second = log.reading({ powerW: scene.random.int(0, 5_000) });
    return [first, second].map((signed) => own(scene, 'equivocating reading', signed, []));
  },
  'late equivocation': (scene) => {
    const past = scene.random.pick(scene.said);
    if (!past.signed) return [];
    const payload = { ...past.signed.payload, networkId: NETWORK };
    const other = payload.kind === Kind.statement ? { ...payload, importWh: payload.importWh + 1n } : payload;
    const bent = other.kind === Kind.reading ? { ...other, powerW: -7 } : other;
    const signed = sign(
      bent.kind === Kind.event ? { ...bent, detail: (bent.detail ^ 1) >>> 0 } : bent,
      scene.log.signer,
    );
    return nameOf(signed.hash) === past.name ? [] : [own(scene, 'late equivocation', signed, null)];
  },
  'chain broken': (scene) => [
    own(scene, 'chain broken', scene.log.reading({ prev: new Uint8Array(16).fill(9) }), null),
  ],
  'register fell': (scene) => [
    own(scene, 'register fell', scene.log.reading({ exportWh: 3n }), [Reason.registerFell, Reason.chainBroken]),
  ],
  // After a reading of unknown time nothing is above a limit: the window's statement decides.
  'above the limit': (scene) => [
    own(scene, 'above the limit', scene.log.reading({ exportWh: scene.log.state.exportWh + 5_000_000n }), null),
  ],
  'from the future': (scene) => {
    const latest = START_MS + DAY_MS;
    const timeMs = scene.random.int(Math.min(scene.finalAtMs + 120_000, latest), latest);
    const code = timeMs - 50 > scene.finalAtMs + 60_000 ? [Reason.fromTheFuture] : null;
    return [own(scene, 'from the future', scene.log.reading({ timeMs: BigInt(timeMs) }), code)];
  },
  'far in the future': (scene) => {
    const timeMs = scene.finalAtMs + DAY_MS + scene.random.int(120_000, 900_000_000);
    return [own(scene, 'far in the future', scene.log.reading({ timeMs: BigInt(timeMs) }), [Reason.farFuture])];
  },
  'before the enrolment': (scene) => [
    own(scene, 'before the enrolment', scene.log.reading({ timeMs: BigInt(START_MS - 3_600_000) }), [
      Reason.beforeEnrolment,
    ]),
  ],
  'unexpected enrolment': (scene) => [
    own(scene, 'unexpected enrolment', scene.log.enrolment(new Uint8Array(32).fill(9)), [Reason.unexpectedEnrolment]),
  ],
  'gap over what is there': (scene) => [
    own(
      scene,
      'gap over what is there',
      scene.log.gap(scene.log.seq > 3n ? scene.log.seq - 3n : 1n, 4, GapReason.unused),
      null,
    ),
  ],
  'gap over everything': (scene) => [
    own(scene, 'gap over everything', scene.log.gap(1n, 0xffff_ffff, scene.random.int(1, 5)), null),
  ],
  'missing for good': (scene) => {
    scene.log.seq += BigInt(scene.random.int(1, 3));
    return [own(scene, 'missing for good', scene.log.event(EventCode.tamper), null)];
  },
  'highest seq': (scene) => {
    const { log } = scene;
    const { seq, prev } = log;
    log.seq = (1n << 64n) - 2n - BigInt(scene.random.int(0, 3));
    const signed = log.event(EventCode.selfTestFailed);
    log.seq = seq;
    log.prev = prev;
    return [own(scene, 'highest seq', signed, null)];
  },
};

/** Tricks of the same party that replace an honest statement at the end of a window. */
export const STATEMENT_TRICKS: Readonly<Record<string, Trick>> = {
  'equivocating statement': (scene) => {
    const { log, window } = scene;
    const first = log.statement(window);
    if (scene.random.chance(0.5)) log.seq -= 1n;
    const second = log.statement(window, { readingCount: 7 });
    return [first, second].map((signed) => own(scene, 'equivocating statement', signed, []));
  },
  'flood of equivocations': (scene) => {
    const { log, window } = scene;
    const items: Item[] = [];
    const seq = log.seq;
    for (let i = 0; i < 7; i++) {
      log.seq = scene.random.chance(0.6) ? seq : seq + BigInt(scene.random.int(0, 2));
      const signed = scene.random.chance(0.6)
        ? log.statement(window, { readingCount: 100 + i })
        : log.reading({ powerW: 100 + i });
      items.push(own(scene, 'flood of equivocations', signed, null));
    }
    log.seq = seq + 3n;
    return items;
  },
  'statement fell': (scene) => [
    own(scene, 'statement fell', scene.log.statement(scene.window, { importWh: 1n, quality: Quality.gatewaySigned }), [
      Reason.registerFell,
      Reason.windowNotRising,
      Reason.rootMismatch,
    ]),
  ],
  'statement above the limit': (scene) => [
    own(
      scene,
      'statement above the limit',
      scene.log.statement(scene.window, {
        exportWh: scene.log.state.exportWh + 50_000_000n,
        quality: Quality.gatewaySigned,
      }),
      [Reason.abovePhysicalLimit, Reason.windowNotRising],
    ),
  ],
  'root mismatch': (scene) => [
    own(scene, 'root mismatch', scene.log.statement(scene.window, { readingsRoot: new Uint8Array(32) }), null),
  ],
  'statement from the future': (scene) => {
    const window = INITIAL_WINDOW + scene.random.int(0, 95);
    return [own(scene, 'statement from the future', statementAhead(scene.log, window), null)];
  },
  'statement far in the future': (scene) => {
    const window = Math.ceil((scene.finalAtMs + DAY_MS) / WINDOW_MS) + scene.random.int(1, 200);
    return [own(scene, 'statement far in the future', statementAhead(scene.log, window), [Reason.farFuture])];
  },
  'window stated again': (scene) => [
    own(scene, 'window stated again', scene.log.statement(scene.meter.record.enrolmentWindow), null),
  ],
};

/** Tricks of parties without a key of this meter: they must leave no trace in its stream. */
export const OUTSIDE: Readonly<Record<string, Trick>> = {
  'forged signature': (scene) => {
    const payload = { ...payloadOf(scene), seq: scene.log.seq + BigInt(scene.random.int(0, 2)) };
    const { message } = sign(payload, signerOf(1_000 + scene.random.int(0, 50)));
    return [foreign(scene, 'forged signature', message, [Reason.badSignature])];
  },
  'bent message': (scene) => {
    const bytes = sign(payloadOf(scene), scene.log.signer).message.slice();
    // Registers, times and signature: bytes behind the header, without those between payload and signature.
    const where = scene.random.pick([9 + 44, 9 + 52, 107 + 1, 107 + 33, 107 + 63]);
    bytes[where] = at([...bytes], where) ^ (1 << scene.random.int(0, 7));
    return [foreign(scene, 'bent message', bytes, [Reason.badSignature])];
  },
  'wrong key': (scene) => {
    const { meter, random } = scene;
    const others = scene.meters.filter(
      (other) => other.record.owner === meter.record.owner && other !== meter && other.rotatesAt === null,
    );
    if (others.length === 0) return [];
    const other = random.pick(others);
    const { message } = sign(payloadOf(scene), other.signer);
    // Both the other meter and this key must be on chain: that is so once the later fact is.
    const fact = Math.max(
      scene.fact ?? -1,
      scene.enrolledBy.get(other.index) ?? -1,
      scene.enrolledBy.get(meter.index) ?? -1,
    );
    return [foreign(scene, 'wrong key', message, [Reason.wrongKey], { fact: fact < 0 ? null : fact })];
  },
  'wrong network': (scene) => {
    const { message } = sign({ ...payloadOf(scene), networkId: new Uint8Array(8).fill(7) }, scene.log.signer);
    return [foreign(scene, 'wrong network', message, [Reason.wrongNetwork])];
  },
  'unknown meter': (scene) => {
    const { message } = sign({ ...payloadOf(scene), meterId: new Uint8Array(16).fill(250) }, scene.log.signer);
    return [foreign(scene, 'unknown meter', message, [Reason.unknownMeter])];
  },
  'replay by another gateway': (scene) => {
    const past = scene.random.pick(scene.said);
    const gateway = scene.random.pick(scene.meters).gateway;
    return past.gateway === gateway ? [] : [{ ...past, gateway, kind: 'replay by another gateway' }];
  },
  malformed: (scene) => {
    const { random } = scene;
    const bytes = random.bytes(random.chance(0.5) ? SIGN1_BYTES : random.int(1, SIGN1_BYTES - 1));
    bytes[0] = 0;
    return [foreign(scene, 'malformed', bytes, [Reason.malformed])];
  },
  'cut off': (scene) => {
    const whole = sign(payloadOf(scene), scene.log.signer).message;
    const bytes = scene.random.chance(0.5)
      ? whole.slice(0, scene.random.int(1, 170))
      : concatBytes(whole, Uint8Array.of(0));
    return [foreign(scene, 'cut off', bytes, [Reason.malformed])];
  },
  'unknown version': (scene) => {
    const bytes = sign(payloadOf(scene), scene.log.signer).message.slice();
    bytes[9 + scene.random.int(2, 3)] = 9;
    return [foreign(scene, 'unknown version', bytes, [Reason.unknownVersion])];
  },
  'signed for another purpose': (scene) => {
    const { signer } = scene.log;
    const ack = { ledgerId: new Uint8Array(16), timeMs: 1, gateway: signer.publicKey, meters: new Map(), refused: [] };
    const token = { broker: 'b', clientId: 'c', notBefore: 1, expiry: 2, nonce: scene.random.bytes(16) };
    const bytes = scene.random.chance(0.5) ? signAck(ack, signer) : signToken(token, signer);
    return [foreign(scene, 'signed for another purpose', bytes, [Reason.malformed])];
  },
};
