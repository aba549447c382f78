import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import {
  decodePayload,
  ed25519Signer,
  encodePayload,
  encodeSign1,
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
  type Payload,
  parseSign1,
  parseTopic,
  pointId,
  proveVerifier,
  type SodiumVerify,
  sigStructure,
  sodiumVerifier,
  splitSequence,
  subscriptions,
  toHex,
  type VerifyVector,
  verifyVectors,
  WireError,
} from '../src/index.js';
import { fileText, goldenFiles } from './golden/generate.js';
import { LAYOUT, layOut } from './golden/layout.js';
import { naiveRoot } from './golden/structures.js';
import { extraVerifyCases } from './golden/verify.js';

// The applications bring libsodium; the protocol itself has no native dependency.
const sodium = createRequire(new URL('../../oracle/package.json', import.meta.url))('sodium-native') as SodiumVerify;
const verifier = sodiumVerifier(sodium);

const textOf = (name: string) => readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8');
// biome-ignore lint/suspicious/noExplicitAny: vectors are data; every use below is an expectation
type Case = Record<string, any>;
const load = (name: string): Record<string, Case[]> => JSON.parse(textOf(name));
const list = (name: string, key = 'cases'): Case[] => load(name)[key] ?? [];

describe('committed files', () => {
  it.each(Object.entries(goldenFiles()))('%s is what the generator makes', (name, content) => {
    expect(textOf(name)).toBe(fileText(content));
  });
  it('verify.json holds every generated case', () => {
    const committed = new Map(verifyVectors.map((c) => [c.name, c]));
    for (const made of extraVerifyCases()) expect(committed.get(made.name)).toEqual(made);
  });
});

/** A decoded payload written with the names and raw codes of the tables. */
function rawFields(p: Payload): Record<string, string> {
  const common = {
    magic: '4758',
    version: '1',
    kind: String(p.kind),
    network_id: toHex(p.networkId),
    meter_id: toHex(p.meterId),
    seq: String(p.seq),
  };
  const energy = 'importWh' in p ? { import_wh: String(p.importWh), export_wh: String(p.exportWh) } : {};
  switch (p.kind) {
    case 1:
      return {
        ...common,
        ...energy,
        time_ms: String(p.timeMs),
        power_w: String(p.powerW ?? -2147483648),
        voltage: String(p.voltageDv ?? 65535),
        frequency: String(p.frequencyChz ?? 65535),
        time_uncertainty_ms: String(p.timeUncertaintyMs ?? 4294967295),
        quality: String(p.quality),
        boot_count: String(p.bootCount),
        raw: toHex(p.raw),
        prev: toHex(p.prev),
      };
    case 2:
      return {
        ...common,
        ...energy,
        window: String(p.window),
        reading_count: String(p.readingCount),
        quality: String(p.quality),
        time_uncertainty_ms: String(p.timeUncertaintyMs ?? 4294967295),
        readings_root: toHex(p.readingsRoot),
      };
    case 3:
      return {
        ...common,
        time_ms: String(p.timeMs),
        code: String(p.code),
        quality: String(p.quality),
        boot_count: String(p.bootCount),
        detail: String(p.detail),
        value: String(p.value),
        data: toHex(p.data),
        prev: toHex(p.prev),
      };
    case 4:
      return {
        ...common,
        ...energy,
        owner: toHex(p.owner),
        zone: String(p.zone),
        source: String(p.source),
        role_bits: String(p.role | (p.deviceSigned ? 4 : 0)),
        key_epoch: String(p.keyEpoch),
        window: String(p.window),
      };
  }
}

describe('payloads', () => {
  const cases = list('payloads.json');
  it('cover every field of every kind at two values at least', () => {
    const free = (name: string) => !['magic', 'version', 'kind'].includes(name);
    for (const kind of ['1', '2', '3', '4'] as const) {
      for (const { name } of LAYOUT[kind].filter((field) => free(field.name))) {
        const of = cases.filter((c) => c.fields.kind === kind);
        const values = new Set(of.map((c) => c.fields[name]));
        expect(values.size, `kind ${kind} ${name}`).toBeGreaterThanOrEqual(2);
      }
    }
  });
  it.each(cases)('$name', ({ fields, bytes }) => {
    const decoded = decodePayload(fromHex(bytes));
    expect(rawFields(decoded)).toEqual(fields);
    expect(toHex(encodePayload(decoded))).toBe(bytes);
    expect(layOut(LAYOUT[fields.kind as '1'], fields)).toBe(bytes);
  });
});

describe('messages', () => {
  it.each(list('messages.json'))('$name', (c) => {
    const message = fromHex(c.message);
    expect(message.length).toBe(171);
    const { payload, signature } = parseSign1(message);
    expect([toHex(payload), toHex(signature)]).toEqual([c.payload, c.signature]);
    expect(toHex(sigStructure(payload))).toBe(c.sig_structure);
    expect(c.sig_structure.startsWith('846a5369676e61747572653143a10127405860')).toBe(true);
    expect(verifier.verify(signature, sigStructure(payload), fromHex(c.public_key))).toBe(true);
    const signer = ed25519Signer(fromHex(c.seed));
    expect(toHex(signer.publicKey)).toBe(c.public_key);
    expect(toHex(encodeSign1(payload, signer.sign(sigStructure(payload))))).toBe(c.message);
  });
  it.each(list('sequences.json'))('sequence: $name', (c) => {
    expect(splitSequence(fromHex(c.packet)).map(toHex)).toEqual(c.messages);
  });
});

describe('malformed', () => {
  const readers = { payload: decodePayload, message: parseSign1, packet: splitSequence };
  it.each(list('malformed.json'))('$what: $name', (c) => {
    let caught: unknown;
    try {
      readers[c.what as 'packet'](fromHex(c.bytes));
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(WireError);
    expect((caught as WireError).reason).toBe(c.reason);
  });
});

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
    // What comes from a socket is a Buffer, whose slice does not copy.
    const [s, m, k] = [c.signature, c.message, c.publicKey].map((hex) => Buffer.from(hex, 'hex'));
    if (!s || !m || !k) throw new Error('unreachable');
    for (let again = 0; again < 2; again++) expect(verifier.verify(s, m, k)).toBe(c.valid);
    expect([s, m, k].map((b) => b.toString('hex'))).toEqual([c.signature, c.message, c.publicKey]);
  });

  it('is proved at start: a laxer and a stricter one are refused by name', () => {
    expect(() => proveVerifier(verifier, verifyVectors)).not.toThrow();
    const raw = { name: 'always', verify: () => true };
    expect(() => proveVerifier(raw, verifyVectors)).toThrow('always');
    expect(() => proveVerifier({ name: 'never', verify: () => false }, verifyVectors)).toThrow('never');
    const one = verifyVectors.filter((v: VerifyVector) => v.valid);
    expect(() => proveVerifier(verifier, one)).toThrow();
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
