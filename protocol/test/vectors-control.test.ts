import { describe, expect, it } from 'vitest';
import {
  formatTopic,
  fromHex,
  isTorsionFreeKey,
  MerkleBuilder,
  merkleRoot,
  meterId,
  networkId,
  openAck,
  openCommand,
  openCommandAnswer,
  openCosignRequest,
  openTime,
  openToken,
  parseTopic,
  pointId,
  proveVerifier,
  sodiumVerifier,
  subscriptions,
  toHex,
  type VerifyVector,
  verifyVectors,
  WireError,
} from '../src/index.js';
import { naiveRoot } from './golden/structures.js';
import { type Case, list, load } from './support/vectors.js';
import { verifier } from './support/verifier.js';

describe('merkle', () => {
  it.each(list('merkle.json'))('$name', (c) => {
    const leaves: Uint8Array[] = c.leaves.map(fromHex);
    expect(toHex(merkleRoot(leaves))).toBe(c.root);
    expect(toHex(naiveRoot(leaves))).toBe(c.root);
    const builder = new MerkleBuilder();
    for (const leaf of leaves) builder.add(leaf);
    expect(builder.count).toBe(leaves.length);
  });
});

describe('identities', () => {
  const file = (key: string) => list('identities.json', key);
  const plate = (c: Case) => ({
    salt: fromHex(c.salt ?? ''),
    manufacturer: c.manufacturer ?? '',
    model: c.model ?? '',
    serial: c.serial ?? '',
  });
  it.each(file('meter_ids'))('meter_id: $name', (c) => expect(toHex(meterId(plate(c)))).toBe(c.meter_id));
  it('are the same for the same name in another form, and differ otherwise', () => {
    const ids = new Map(file('meter_ids').map((c) => [c.name, c.meter_id]));
    expect(ids.get('spaces around are trimmed')).toBe(ids.get('plain'));
    expect(ids.get('decomposed, the same id as composed')).toBe(ids.get('composed'));
    expect(new Set(ids.values()).size).toBe(ids.size - 2);
  });
  it.each(file('invalid_names'))('refused: $name', (c) => expect(() => meterId(plate(c))).toThrow(RangeError));
  it.each(file('point_ids'))('point of $production_id', (c) => {
    expect(toHex(pointId(fromHex(c.production_id), fromHex(c.consumption_id)))).toBe(c.point_id);
  });
  it.each(file('network_ids'))('network $network_id', (c) => {
    expect(toHex(networkId(fromHex(c.genesis_hash), fromHex(c.oracle_program), fromHex(c.salt)))).toBe(c.network_id);
  });
});

describe('topics', () => {
  const file = (key: string) => list('topics.json', key);
  it.each(file('valid'))('$topic', ({ topic, ...fields }) => {
    const parsed = parseTopic(topic);
    if (!parsed) throw new Error('not parsed');
    const shown = Object.entries(parsed).map(([k, v]) => [k, v instanceof Uint8Array ? toHex(v) : v]);
    expect(Object.fromEntries(shown)).toEqual(fields);
    expect(formatTopic(parsed)).toBe(topic);
  });
  it.each(file('invalid').map((topic) => [String(topic)]))('refused: "%s"', (topic) =>
    expect(parseTopic(topic)).toBe(null),
  );
  it('subscriptions', () => {
    const { gateway, oracle, operator } = load('topics.json').subscriptions as unknown as Case;
    expect(subscriptions.gateway(fromHex(gateway.key))).toEqual(gateway.filters);
    expect(subscriptions.oracle()).toEqual(oracle.filters);
    expect(subscriptions.operator()).toEqual(operator.filters);
  });
});

describe('control messages open to their fields', () => {
  it.each(list('tokens.json'))('token for $broker', (c) => {
    const expected = { broker: c.broker, clientId: c.client_id, nowSeconds: c.not_before, leewaySeconds: 60 };
    const token = openToken(fromHex(c.message), fromHex(c.public_key), verifier, expected);
    expect({ ...token, nonce: toHex(token.nonce) }).toEqual({
      broker: c.broker,
      clientId: c.client_id,
      notBefore: c.not_before,
      expiry: c.expiry,
      nonce: c.nonce,
    });
  });
  it.each(list('acks.json'))('ack: $name', (c) => {
    const ack = openAck(fromHex(c.message), fromHex(c.public_key), verifier);
    expect([toHex(ack.ledgerId), ack.timeMs, toHex(ack.gateway)]).toEqual([c.ledger_id, c.time_ms, c.gateway]);
    const meters = Array.from(ack.meters, ([id, m]) => ({
      meter_id: id,
      stored_through: String(m.storedThrough),
      highest_seen: String(m.highestSeen),
      highest_window: m.highestWindow,
    }));
    const byId = (a: { meter_id: string }, b: { meter_id: string }) => (a.meter_id < b.meter_id ? -1 : 1);
    expect(meters.sort(byId)).toEqual([...c.meters].sort(byId));
    expect(ack.refused.map(({ hash, reason }) => ({ hash: toHex(hash), reason }))).toEqual(c.refused);
  });
  it.each(list('commands.json', 'commands'))('command $name', (c) => {
    const command = openCommand(fromHex(c.message), fromHex(c.public_key), verifier);
    expect({ ...command, nonce: toHex(command.nonce), gateway: toHex(command.gateway) }).toEqual({
      number: BigInt(c.number),
      expiry: c.expiry,
      nonce: c.nonce,
      gateway: c.gateway,
      name: c.name,
      args: new Map(Object.entries(c.args)),
    });
  });
  it.each(list('commands.json', 'answers'))('answer $result', (c) => {
    const answer = openCommandAnswer(fromHex(c.message), fromHex(c.public_key), verifier);
    expect({ ...answer, nonce: toHex(answer.nonce) }).toEqual({
      number: BigInt(c.number),
      nonce: c.nonce,
      timeMs: c.time_ms,
      result: c.result,
      text: c.text,
    });
  });
  it.each(list('cosigns.json'))('request to co-sign: $name', (c) => {
    const request = openCosignRequest(fromHex(c.message), fromHex(c.public_key), verifier);
    expect({ ...request, statements: request.statements.map(toHex) }).toEqual({
      networkId: fromHex(c.network_id),
      timeMs: c.time_ms,
      to: fromHex(c.to),
      transaction: fromHex(c.transaction),
      statements: c.statements,
    });
  });
  it.each(list('time.json'))('time $time_ms', (c) => {
    const open = (nonce: string) => openTime(fromHex(c.message), fromHex(c.public_key), fromHex(nonce), verifier);
    expect(open(c.nonce)).toBe(c.time_ms);
    expect(() => open('00'.repeat(16))).toThrow(WireError);
  });
});

describe('the signature check', () => {
  it.each(verifyVectors.map((c) => [c.name, c] as const))('%s', (_name, c) => {
    const check = (wrap: (hex: string) => Uint8Array) =>
      verifier.verify(wrap(c.signature), wrap(c.message), wrap(c.publicKey));
    expect(check(fromHex)).toBe(c.valid);
    // A socket delivers a Buffer, whose slice does not copy.
    const [s, m, k] = [c.signature, c.message, c.publicKey].map((hex) => Buffer.from(hex, 'hex'));
    if (!s || !m || !k) throw new Error('unreachable');
    for (let again = 0; again < 2; again++) expect(verifier.verify(s, m, k)).toBe(c.valid);
    expect([s, m, k].map((b) => b.toString('hex'))).toEqual([c.signature, c.message, c.publicKey]);
  });

  it('refuses small order and wrong lengths by itself, whatever libsodium was built to accept', () => {
    const asked: string[][] = [];
    const credulous = sodiumVerifier({
      crypto_sign_verify_detached: (...given) => {
        asked.push(given.map(toHex));
        return true;
      },
    });
    const judge = (c: VerifyVector) =>
      credulous.verify(fromHex(c.signature), fromHex(c.message), fromHex(c.publicKey)) ? [c.name] : [];
    const small = verifyVectors.filter((c) => /small.order|^identity/.test(c.name));
    for (const part of ['key of small order', 'R of small order', 'as key', 'as R']) {
      expect(
        small.some(({ name }) => name.includes(part)),
        part,
      ).toBe(true);
    }
    expect(small.flatMap(judge)).toEqual([]);
    const [good] = verifyVectors.filter((c) => c.valid);
    if (!good) throw new Error('no good case');
    const [s, m, k] = [good.signature, good.message, good.publicKey];
    for (const [signature, publicKey] of [
      [s.slice(2), k],
      [`${s}00`, k],
      [s, k.slice(2)],
      [s, `${k}00`],
    ] as const) {
      expect(judge({ ...good, signature, publicKey })).toEqual([]);
    }
    expect(asked).toEqual([]);
    expect(judge(good)).toEqual([good.name]);
    expect(asked).toEqual([[s, m, k]]);
  });

  it('is proved at start: a laxer and a stricter one are refused by name', () => {
    expect(() => proveVerifier(verifier, verifyVectors)).not.toThrow();
    const raw = { name: 'always', verify: () => true };
    expect(() => proveVerifier(raw, verifyVectors)).toThrow(/^the always signature check judges ".+" as valid$/);
    const never = { name: 'never', verify: () => false };
    expect(() => proveVerifier(never, verifyVectors)).toThrow(/^the never signature check judges ".+" as invalid$/);
    for (const kind of [true, false]) {
      const one = verifyVectors.filter((v: VerifyVector) => v.valid === kind);
      expect(() => proveVerifier(verifier, one)).toThrow('need valid and invalid ones');
    }
    for (const name of ['torsion in the key, k mod 8 = 4', 'torsion 3 of 8 in R', 'R of small order, 0 of 8']) {
      const wrong = {
        name: 'wrong',
        verify: (s: Uint8Array, m: Uint8Array, k: Uint8Array) => toHex(s) === c?.signature || verifier.verify(s, m, k),
      };
      const c = verifyVectors.find((v) => v.name === name);
      expect(() => proveVerifier(wrong, verifyVectors)).toThrow(name);
    }
  });

  it('keys with torsion are not enrolled, whether or not a signature of theirs verifies', () => {
    for (const c of verifyVectors.filter((v) => /torsion in the key|key of small order|identity/.test(v.name))) {
      const isKeyCase = !/as R/.test(c.name);
      expect(isTorsionFreeKey(fromHex(c.publicKey)), c.name).toBe(!isKeyCase);
    }
    expect(isTorsionFreeKey(fromHex(verifyVectors[0]?.publicKey ?? ''))).toBe(true);
  });
});
