import { describe, expect, it } from 'vitest';
import {
  decodePayload,
  ed25519Signer,
  encodePayload,
  encodeSign1,
  fromHex,
  type Payload,
  parseSign1,
  sigStructure,
  splitSequence,
  toHex,
  verifyVectors,
  WireError,
} from '../src/index.js';
import { fileText, goldenFiles } from './golden/generate.js';
import { LAYOUT, layOut } from './golden/layout.js';
import { pairs } from './golden/payloads.js';
import { extraVerifyCases } from './golden/verify.js';
import { list, textOf } from './support/vectors.js';
import { verifier } from './support/verifier.js';

describe('committed files', () => {
  it.each(Object.entries(goldenFiles()))('%s is what the generator makes', (name, content) => {
    expect(textOf(name)).toBe(fileText(content));
  });
  it('verify.json holds every generated case', () => {
    const committed = new Map(verifyVectors.map((c) => [c.name, c]));
    for (const made of extraVerifyCases()) expect(committed.get(made.name)).toEqual(made);
  });
});

/** Writes a decoded payload with the names and raw codes of the tables. */
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
    case 5:
      return {
        ...common,
        time_ms: String(p.timeMs),
        ...pairs(...p.values.map(({ code, value }) => [code, value] as const)),
        time_uncertainty_ms: String(p.timeUncertaintyMs ?? 4294967295),
      };
  }
}

describe('payloads', () => {
  const cases = [...list('payloads.json'), ...list('more-values.json')];
  it('cover every field of every kind at two values at least', () => {
    const free = (name: string) => !['magic', 'version', 'kind'].includes(name);
    for (const kind of ['1', '2', '3', '4', '5'] as const) {
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
  it.each([...list('malformed.json'), ...list('more-values.json', 'malformed')])('$what: $name', (c) => {
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
