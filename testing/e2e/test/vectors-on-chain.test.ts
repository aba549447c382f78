import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { instructions, pda } from '@gridtokenx/chain-client';
import { controlSigStructure, sigStructure, verifyVectors } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import sign from '@gridtokenx/testing-kit/chain/sign';
import { refusal, type Said, slotAt, statementPayload, submit } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { Ed25519Program, type TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../protocol/vectors');
const cases = (file: string) => JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8')).cases;
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const verifier = provedVerifier();

/** The chain that every test starts from: copying it costs less than setting it up. */
const origin = new World().setUp();
const [meter] = origin.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
origin.chain.time = START + 900 * 5;
let world: World;
const said: Said = { window: windowAt(START) + 1, exportWh: 5n, importWh: 7n };

beforeEach(() => {
  world = origin.fork();
});

/** Runs the precompile alone, over any bytes. */
const precompile = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): TransactionInstruction =>
  Ed25519Program.createInstructionWithPublicKey({ publicKey, message, signature });

describe('signatures: libsodium, the chain and the vectors say the same (Rust: protocol/rust/tests/vectors.rs)', () => {
  test.each(verifyVectors.map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const [key, message, signature] = [hex(vector.publicKey), hex(vector.message), hex(vector.signature)];
    const chain = world.chain.send([precompile(key, message, signature)]).ok;
    const sodium = verifier.verify(signature, message, key);
    expect({ chain, sodium }).toEqual({ chain: vector.valid, sodium: vector.valid });
  });

  test('control: both kinds of case are there', () => {
    const valid = verifyVectors.filter((vector) => vector.valid).length;
    expect(valid).toBeGreaterThan(0);
    expect(verifyVectors.length - valid).toBeGreaterThan(50);
  });
});

describe('messages: whatever the precompile verified, the programs take only a payload of their kind', () => {
  const register = () => world.register(world.meter('new'), { message: { window: windowAt(world.chain.time) } })[1];
  /** Returns the answers of all three users of a signed message to bytes that the meter's key signed. */
  function outcomes(bytes: Uint8Array): string[] {
    const at = { meterId: meter.id, zone: world.zone, page: 0 };
    const verify = precompile(meter.key.publicKey.toBytes(), bytes, sign(meter.key, bytes));
    const users = [
      instructions.submitStatement(at),
      instructions.dispute({ ...at, payer: world.payer, slot: 0 }),
      register() as TransactionInstruction,
    ];
    return users.map((user) => refusal(world, [verify, user], world.staff));
  }
  const REFUSALS = ['MalformedMessage', 'SignatureMessageMismatch'];

  const all: { name: string; what: string; bytes: string }[] = cases('malformed');
  const malformed = all.filter(({ what }) => what === 'payload').map(({ name, bytes }) => [name, bytes] as const);
  test.each(malformed)('malformed payload: %s', (_, bytes) => {
    // Begins with the signed prefix, as a device would sign it; for lengths other than 96 the prefix states that
    // length.
    const prefix = sigStructure(new Uint8Array(96)).slice(0, 19);
    const whole = Uint8Array.of(...prefix, ...hex(bytes));
    const found = outcomes(whole);
    for (const outcome of found) expect(REFUSALS).toContain(outcome);
    expect(slotAt(world, 0).window).toBe(windowAt(START));
  });

  test('a payload of another kind is not a statement, nor an enrolment', () => {
    for (const entry of cases('payloads') as { name: string; bytes: string; fields: { kind: string } }[]) {
      const found = outcomes(sigStructure(hex(entry.bytes)));
      const { kind } = entry.fields;
      // The vectors name another network and meter; a statement is refused at that check.
      const statement = kind === '2' ? ['WrongNetwork'] : ['MalformedMessage'];
      expect(statement, `${entry.name}: submit`).toContain(found[0]);
      expect(statement, `${entry.name}: dispute`).toContain(found[1]);
      const enrolment = kind === '4' ? ['WrongNetwork'] : ['MalformedMessage'];
      expect(enrolment, `${entry.name}: register`).toContain(found[2]);
    }
  });

  test('a token, an ack, a command or a time answer is no payload, whatever it contains', () => {
    const payload = statementPayload(world, meter, said);
    for (const purpose of ['gtx/mqtt/1', 'gtx/ack/1', 'gtx/command/1', 'gtx/time/1'] as const) {
      const bytes = controlSigStructure(purpose, payload);
      for (const each of [bytes, bytes.slice(0, 115), bytes.slice(-115)])
        expect(new Set(outcomes(each)), purpose).toEqual(new Set(['SignatureMessageMismatch']));
    }
  });

  test('cut, extended, another algorithm or with an external_aad: no payload', () => {
    const good = sigStructure(statementPayload(world, meter, said));
    const changed = (at: number, value: number) => good.map((byte, index) => (index === at ? value : byte));
    for (const bytes of [
      good.slice(0, 114),
      Uint8Array.of(...good, 0),
      good.slice(19),
      ...Array.from({ length: 19 }, (_, at) => changed(at, (good[at] ?? 0) ^ 1)),
      changed(15, 0x26), // ES256
    ])
      expect(new Set(outcomes(bytes))).toEqual(new Set(['SignatureMessageMismatch']));
    expect(refusal(world, submit(world, meter, said))).toBe('accepted'); // the control: the same, unchanged
  });

  test('every bit of the signature, and the key of another, is refused by the precompile', () => {
    const message = sigStructure(statementPayload(world, meter, said));
    const signature = sign(meter.key, message);
    const key = meter.key.publicKey.toBytes();
    for (let bit = 0; bit < 512; bit += 7) {
      const turned = signature.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(world.chain.send([precompile(key, message, turned)]).ok, `bit ${bit}`).toBe(false);
      expect(verifier.verify(turned, message, key), `bit ${bit}`).toBe(false);
    }
    expect(world.chain.send([precompile(keyOf('x').publicKey.toBytes(), message, signature)]).ok).toBe(false);
    expect(world.chain.account(pda.meterPage(world.zone, 0))).toBeDefined();
  });

  test('fields at their bounds: the largest window, register and seq do not slip through', () => {
    const at = (change: Said['change']) =>
      refusal(world, submit(world, meter, { ...said, ...(change ? { change } : {}) }));
    const most = (1n << 64n) - 1n;
    expect(at({ window: 0xffff_ffff })).toBe('WindowInFuture');
    expect(at({ window: 0 })).toBe('BeforeFirstWindow');
    expect(at({ exportWh: most })).toBe('ExcessiveAmount');
    expect(at({ exportWh: most, importWh: most })).toBe('ExcessiveAmount');
    expect(at({ importWh: 0n })).toBe('RegisterBelowBaseline');
    expect(at({ seq: most, quality: 0xfff4, readingCount: 0xffff, timeUncertaintyMs: 0xffff_fffe })).toBe('accepted');
  });
});
