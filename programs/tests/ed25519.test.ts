import { sigStructure } from '@gridtokenx/protocol';
import sign from '@gridtokenx/testing-kit/chain/sign';
import { keyOf, type TestMeter, World } from '@gridtokenx/testing-kit/chain/world';
import { ComputeBudgetProgram, Ed25519Program, TransactionInstruction } from '@solana/web3.js';
import { beforeEach, expect, test } from 'vitest';

let world: World;
let meter: TestMeter;
let register: TransactionInstruction;
let message: Uint8Array;

beforeEach(() => {
  world = new World().setUp();
  meter = world.meter('a');
  const pair = world.register(meter);
  if (!pair[1]) throw new Error('two instructions');
  register = pair[1];
  message = sigStructure(world.enrolment(meter));
});

function refusal(list: readonly TransactionInstruction[]): string {
  const outcome = world.chain.send(list, world.staff);
  return outcome.ok ? 'accepted' : (outcome.error?.name ?? outcome.message);
}

interface Offsets {
  signature: number;
  signatureIn: number;
  key: number;
  keyIn: number;
  message: number;
  size: number;
  messageIn: number;
}

/** Builds data of the precompile: count, one block of offsets per signature, then the bytes that the offsets name. */
function precompile(blocks: readonly Offsets[], body: Uint8Array, count = blocks.length): TransactionInstruction {
  const data = Buffer.alloc(2 + 14 * blocks.length);
  data[0] = count;
  for (const [index, block] of blocks.entries()) {
    const { signature, signatureIn, key, keyIn, message: at, size, messageIn } = block;
    for (const [field, value] of [signature, signatureIn, key, keyIn, at, size, messageIn].entries()) {
      data.writeUInt16LE(value, 2 + 14 * index + 2 * field);
    }
  }
  return new TransactionInstruction({
    programId: Ed25519Program.programId,
    keys: [],
    data: Buffer.concat([data, body]),
  });
}

/** Joins key, signature and message, from `start` on. */
function bodyOf(key = meter.key, text = message): Uint8Array {
  return Uint8Array.of(...key.publicKey.toBytes(), ...sign(key, text), ...text);
}
const at = (start: number, size: number, index = 0xffff): Offsets => ({
  key: start,
  keyIn: index,
  signature: start + 32,
  signatureIn: index,
  message: start + 96,
  size,
  messageIn: index,
});

test('the plain verification is accepted, also with its own index instead of "this one"', () => {
  const copy = world.fork();
  expect(copy.chain.send([precompile([at(16, 115)], bodyOf()), register], world.staff).ok).toBe(true);
  expect(refusal([precompile([at(16, 115, 0)], bodyOf()), register])).toBe('accepted');
});

test('a forged signature does not get past the precompile', () => {
  const body = bodyOf();
  body[40] = (body[40] ?? 0) ^ 1;
  expect(refusal([precompile([at(16, 115)], body), register])).not.toBe('accepted');
});

test('it must be the instruction just before', () => {
  const verify = precompile([at(16, 115)], bodyOf());
  const between = ComputeBudgetProgram.setComputeUnitLimit({ units: 300_000 });
  expect(refusal([register])).toBe('SignatureMissing');
  expect(refusal([register, verify])).toBe('SignatureMissing');
  expect(refusal([verify, between, register])).toBe('SignatureMissing');
  expect(refusal([between, verify, register])).toBe('accepted');
});

test('two signatures in one instruction are refused, and none', () => {
  const first = bodyOf();
  const second = bodyOf(keyOf('other'));
  const both = precompile([at(30, 115), at(30 + first.length, 115)], Uint8Array.of(...first, ...second));
  expect(refusal([both, register])).toBe('SignatureMalformed');
  expect(refusal([precompile([], new Uint8Array(16)), register])).not.toBe('accepted');
});

test('no index may point into another instruction', () => {
  // Instruction 0 holds an attacker's own valid signature. Instruction 1 holds the victim's key and message at the expected
  // places, but lets the precompile verify parts of instruction 0 instead.
  const attacker = keyOf('attacker');
  const honest = precompile([at(16, 115)], bodyOf(attacker));
  const victim = Uint8Array.of(...meter.key.publicKey.toBytes(), ...new Uint8Array(64), ...message);
  const elsewhere = { signatureIn: 0, keyIn: 0, messageIn: 0 };
  expect(refusal([honest, precompile([{ ...at(16, 115), ...elsewhere }], victim), register])).toBe(
    'SignatureMalformed',
  );
  for (const field of ['signatureIn', 'keyIn', 'messageIn'] as const) {
    // All parts are true copies, so the precompile accepts them. Still only one instruction may hold them.
    const twin = precompile([at(16, 115)], bodyOf());
    expect(refusal([twin, precompile([{ ...at(16, 115), [field]: 0 }], bodyOf()), register]), field).toBe(
      'SignatureMalformed',
    );
  }
});

test('another message is not an enrolment', () => {
  const payload = world.enrolment(meter);
  expect(refusal([precompile([at(16, 96)], bodyOf(meter.key, payload)), register])).toBe('SignatureMessageMismatch');
  const otherContext = Uint8Array.from(message);
  otherContext[16] = 0x41; // an external_aad of one byte: tokens, acks and commands are signed with one
  expect(refusal([precompile([at(16, 115)], bodyOf(meter.key, otherContext)), register])).toBe(
    'SignatureMessageMismatch',
  );
  for (const [index, value] of [
    [19, 0],
    [21, 2],
    [22, 2],
    [22, 3],
    [19 + 87, 3],
    [19 + 86, 6],
    [19 + 87, 8],
  ] as const) {
    const changed = Uint8Array.from(message);
    changed[index] = value;
    expect(refusal([precompile([at(16, 115)], bodyOf(meter.key, changed)), register]), `byte ${index}`).toBe(
      'MalformedMessage',
    );
  }
});

test('a key of small order is refused', () => {
  // With A and R the neutral element and S = 0 the equation holds for every message. The precompile is strict. The crate of the
  // wire format tests the program's own list of such keys.
  const neutral = Uint8Array.of(1, ...new Uint8Array(31));
  const body = Uint8Array.of(...neutral, ...neutral, ...new Uint8Array(32), ...message);
  expect(refusal([precompile([at(16, 115)], body), register])).not.toBe('accepted');
});
