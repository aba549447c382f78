import { encode } from 'cborg';
import { describe, expect, it } from 'vitest';
import {
  asSafe,
  asUint,
  asWindow,
  CborFields,
  type CborValue,
  CommandResult,
  controlSigStructure,
  decodePayload,
  ed25519Signer,
  encodeSign1,
  fromHex,
  openAck,
  openCommand,
  openCommandAnswer,
  openControl,
  openToken,
  Purpose,
  parseSign1,
  Reason,
  SIGN1_BYTES,
  signAck,
  signCommand,
  signCommandAnswer,
  signControl,
  signToken,
  sigStructure,
  WireError,
} from '../src/index.js';
import { LAYOUT, layOut } from './golden/layout.js';
import { PLAIN } from './golden/payloads.js';
import { reasonOf } from './reason-of.js';
import { verifier } from './support/verifier.js';

const signer = ed25519Signer(new Uint8Array(32).fill(1));
const other = ed25519Signer(new Uint8Array(32).fill(2));

describe('purposes', () => {
  const all = Object.values(Purpose);
  const content = new Map<number, CborValue>([[1, 'x']]);

  it('a message for one purpose is a bad signature for every other', () => {
    for (const made of all) {
      const message = signControl(made, content, signer);
      for (const asked of all) {
        const got = reasonOf(() => openControl(asked, message, signer.publicKey, verifier));
        expect(got, `${made} as ${asked}`).toBe(made === asked ? null : Reason.badSignature);
      }
      expect(reasonOf(() => openControl(made, message, other.publicKey, verifier))).toBe(Reason.badSignature);
    }
  });

  it('no control message is a payload, whatever its length', () => {
    const ack = (meters: number) =>
      signAck(
        {
          ledgerId: new Uint8Array(16),
          timeMs: 1,
          gateway: signer.publicKey,
          meters: new Map(
            Array.from({ length: meters }, (_, i) => [
              i.toString(16).padStart(32, '0'),
              { storedThrough: 0n, highestSeen: 0n, highestWindow: asWindow(0) },
            ]),
          ),
          refused: [],
        },
        signer,
      );
    for (let n = 0; n < 5; n++) expect(reasonOf(() => parseSign1(ack(n)))).toBe(Reason.malformed);
    // A content of exactly 96 bytes has the frame of a payload. Then the signature covers other bytes.
    const padded = signControl(Purpose.ack, new Uint8Array(94), signer);
    expect(padded.length).toBe(SIGN1_BYTES);
    const { payload, signature } = parseSign1(padded);
    expect(verifier.verify(signature, sigStructure(payload), signer.publicKey)).toBe(false);
    expect(verifier.verify(signature, controlSigStructure(Purpose.ack, payload), signer.publicKey)).toBe(true);
    expect(reasonOf(() => decodePayload(payload))).toBe(Reason.malformed);
  });

  it('a payload message opens as nothing else', () => {
    const payload = fromHex(layOut(LAYOUT[1], PLAIN[1]));
    const message = encodeSign1(payload, signer.sign(sigStructure(payload)));
    for (const purpose of all) {
      expect(reasonOf(() => openControl(purpose, message, signer.publicKey, verifier))).toBe(Reason.badSignature);
    }
  });

  it('every changed, cut or added byte of an ack is refused', () => {
    const message = signAck(
      { ledgerId: new Uint8Array(16), timeMs: 5, gateway: other.publicKey, meters: new Map(), refused: [] },
      signer,
    );
    const open = (given: Uint8Array) => reasonOf(() => openAck(given, signer.publicKey, verifier));
    expect(open(message)).toBe(null);
    for (let at = 0; at < message.length; at++) {
      const changed = message.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(open(changed), `byte ${at}`).not.toBe(null);
      expect(open(message.subarray(0, at)), `cut at ${at}`).toBe(Reason.malformed);
    }
    expect(open(Uint8Array.of(...message, 0))).toBe(Reason.malformed);
  });

  it('unknown, missing and wrongly typed fields of an ack are malformed', () => {
    const good = new Map<number, CborValue>([
      [1, new Uint8Array(16)],
      [2, 5],
      [3, new Uint8Array(32)],
      [4, new Map()],
      [5, []],
    ]);
    const open = (change: (map: Map<number, CborValue>) => void) => {
      const map = new Map(good);
      change(map);
      return reasonOf(() => openAck(signControl(Purpose.ack, map, signer), signer.publicKey, verifier));
    };
    expect(open(() => {})).toBe(null);
    expect(open((m) => m.set(6, 0))).toBe(Reason.malformed);
    for (const key of good.keys())
      expect(
        open((m) => m.delete(key)),
        `without ${key}`,
      ).toBe(Reason.malformed);
    for (const key of good.keys())
      expect(
        open((m) => m.set(key, 'text')),
        `text ${key}`,
      ).toBe(Reason.malformed);
    expect(open((m) => m.set(2, -1))).toBe(Reason.malformed);
    expect(open((m) => m.set(2, 1n << 60n))).toBe(Reason.malformed);
    expect(open((m) => m.set(5, Array(201).fill([new Uint8Array(16), 1])))).toBe(Reason.malformed);
    expect(open((m) => m.set(5, Array(200).fill([new Uint8Array(16), 1])))).toBe(null);
    expect(open((m) => m.set(5, [[new Uint8Array(16), 99]]))).toBe(Reason.malformed);
    const ofWindow = (window: number) => new Map([[new Uint8Array(16), [1, 1, window]]]);
    expect(open((m) => m.set(4, ofWindow(2 ** 32 - 1)))).toBe(null);
    expect(open((m) => m.set(4, ofWindow(2 ** 32)))).toBe(Reason.malformed);
  });

  it('a content that is signed but not in the deterministic encoding is malformed', () => {
    const content = fromHex('a2020101 00'.replaceAll(' ', ''));
    const signature = signer.sign(controlSigStructure(Purpose.time, content));
    const frame = encode([fromHex('a10127'), new Map(), content, signature]);
    const message = Uint8Array.of(0xd2, ...frame);
    expect(reasonOf(() => openControl(Purpose.time, message, signer.publicKey, verifier))).toBe(Reason.malformed);
  });
});

it('a token is good from not-before to expiry, with the leeway at both ends', () => {
  const base = { broker: 'b', clientId: 'c', notBefore: 1000, expiry: 2000, nonce: new Uint8Array(16) };
  const open = (nowSeconds: number, change: object = {}, expected: object = {}) =>
    reasonOf(() =>
      openToken(signToken({ ...base, ...change }, signer), signer.publicKey, verifier, {
        broker: 'b',
        clientId: 'c',
        nowSeconds,
        leewaySeconds: 60,
        ...expected,
      }),
    );
  expect([939, 940, 2059, 2060].map((now) => open(now))).toEqual([Reason.malformed, null, null, Reason.malformed]);
  expect(open(1500, {}, { broker: 'x' })).toBe(Reason.malformed);
  expect(open(1500, {}, { clientId: 'x' })).toBe(Reason.malformed);
  expect(open(1500, { expiry: 1000 + 86_400 })).toBe(null);
  expect(open(1500, { expiry: 1001 + 86_400 })).toBe(Reason.malformed);
  expect(open(1000, { expiry: 1000 })).toBe(Reason.malformed);
});

describe('numbers and texts of a content', () => {
  const U64 = 1n << 64n;
  const SAFE = Number.MAX_SAFE_INTEGER;

  it('an unsigned number ends at 2^64 - 1, in whichever type it comes', () => {
    expect([0, SAFE, 0n, U64 - 1n].map((value) => asUint('x', value))).toEqual([0n, BigInt(SAFE), 0n, U64 - 1n]);
    const bad: CborValue[] = [-1, 0.5, SAFE + 1, -1n, U64, '1', null, true, [1], new Uint8Array(1), new Map()];
    for (const value of [...bad, undefined]) {
      expect(() => asUint('x', value), String(value)).toThrow(
        new WireError(Reason.malformed, 'x: expected an unsigned number'),
      );
    }
  });

  it('a safe number ends at 2^53 - 1', () => {
    expect([0, SAFE, BigInt(SAFE)].map((value) => asSafe('x', value))).toEqual([0, SAFE, SAFE]);
    const wide = new WireError(Reason.malformed, 'x: expected a number up to 2^53 - 1');
    for (const value of [BigInt(SAFE) + 1n, U64 - 1n]) expect(() => asSafe('x', value)).toThrow(wide);
    expect(() => asSafe('x', -1)).toThrow('x: expected an unsigned number');
  });

  it('bytes and texts may have their greatest length and no more, and the key is named', () => {
    const of = (value: CborValue) => new CborFields('note', new Map([[4, value]]), [4]);
    expect(of('12').text(4, 2)).toBe('12');
    expect(of(Uint8Array.of(1, 2)).bytesUpTo(4, 2)).toEqual(Uint8Array.of(1, 2));
    expect(of(Uint8Array.of(1, 2)).bytes(4, 2)).toEqual(Uint8Array.of(1, 2));
    expect([of('').has(4), of('').has(5)]).toEqual([true, false]);
    expect(() => of('123').text(4, 2)).toThrow('note key 4: expected text up to 2');
    expect(() => of(1).text(4, 2)).toThrow('note key 4: expected text up to 2');
    for (const value of [new Uint8Array(3), '12']) {
      expect(() => of(value).bytesUpTo(4, 2)).toThrow('note key 4: expected up to 2 bytes');
      expect(() => of(value).bytes(4, 2)).toThrow('note key 4: expected 2 bytes');
    }
    expect(() => of(new Uint8Array(1)).bytes(4, 2)).toThrow('note key 4: expected 2 bytes');
    expect(() => of(1).list(4)).toThrow('note key 4: expected a list');
    expect(() => of([1]).map(4)).toThrow('note key 4: expected a map');
    expect(() => new CborFields('note', [1], [4])).toThrow('note: expected a map');
    for (const key of [5, '4', new Uint8Array([4])]) {
      expect(() => new CborFields('note', new Map([[key, 1]]), [4])).toThrow('note: unknown key');
    }
  });

  it('a command is no answer, an answer no command, and a result above 3 is none', () => {
    const nonce = new Uint8Array(16);
    const command = { number: U64 - 1n, expiry: 9, nonce, gateway: other.publicKey, name: 'n', args: new Map() };
    const answer = { number: U64 - 1n, nonce, timeMs: 5, result: CommandResult.unknown, text: 't' };
    const [order, reply] = [signCommand(command, signer), signCommandAnswer(answer, signer)];
    expect(openCommand(order, signer.publicKey, verifier)).toEqual(command);
    expect(openCommandAnswer(reply, signer.publicKey, verifier)).toEqual(answer);
    const above = signCommandAnswer({ ...answer, result: 4 as never }, signer);
    expect(() => openCommandAnswer(above, signer.publicKey, verifier)).toThrow('command answer: result 4');
    const swapped = (kind: number, keys: number[]) =>
      signControl(
        Purpose.command,
        new Map<number, CborValue>([[0, kind], ...keys.map((key) => [key, 1] as const)]),
        signer,
      );
    expect(() => openCommand(swapped(1, [1]), signer.publicKey, verifier)).toThrow('an answer, expected an order');
    expect(() => openCommandAnswer(swapped(0, [1]), signer.publicKey, verifier)).toThrow(
      'an order, expected an answer',
    );
  });
});
