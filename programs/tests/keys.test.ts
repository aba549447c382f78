import { Status } from '@gridtokenx/chain-client';
import { deviceWorld, recordActs } from '@gridtokenx/testing-kit/chain/acts';
import { rotate, said, submit } from '@gridtokenx/testing-kit/chain/telemetry';
import { keyOf, START, type TestMeter, type World, windowAt } from '@gridtokenx/testing-kit/chain/world';
import { TransactionInstruction } from '@solana/web3.js';
import { beforeEach, describe, expect, test } from 'vitest';

const ENROLLED = windowAt(START);
let world: World;
let device: TestMeter;

beforeEach(() => {
  ({ world, device } = deviceWorld(20));
});

const { next, record, send, turn, to, close: closing, hostile } = recordActs(() => ({ world, device }));
const close = () => expect(closing()).toEqual(['accepted', 'accepted', 'accepted']);

describe('rotate_key', () => {
  test('utility and old key: the new key speaks from the next window on, the old one no more', () => {
    const window = windowAt(world.chain.time);
    expect(turn()).toBe('accepted');
    expect(record()).toMatchObject({
      deviceKey: next.publicKey,
      previousKey: device.key.publicKey,
      previousKeyLastWindow: window + 1,
      keyEpoch: 1,
      firstValidWindow: window + 2,
      lastRotationWindow: window,
      status: Status.active,
    });
    world.chain.time += 2_700;
    expect(send(submit(world, device, said(19, 100n)))).toBe('UnauthorizedMeter');
    expect(send(submit(world, device, said(21, 100n, { key: next })))).toBe('BeforeFirstWindow');
    expect(send(submit(world, device, said(22, 100n, { key: next })))).toBe('accepted');
  });

  test('recovery: the old key is lost, and the authority signs beside the utility', () => {
    expect(send(rotate(world, device, { key: next, recovery: true }).slice(1))).toBe('SignatureMissing');
    const list = rotate(world, device, { key: next, recovery: true });
    const last = list.at(-1) as TransactionInstruction;
    const keys = last.keys.map((meta, index) => (index === 1 ? { ...meta, pubkey: world.owner.publicKey } : meta));
    const byOwner = new TransactionInstruction({ programId: last.programId, keys, data: last.data });
    expect(send([...list.slice(0, -1), byOwner], [world.utility, world.owner])).toBe('InvalidAuthority');
    expect(send(list)).toBe('accepted');
    expect(record().deviceKey).toEqual(next.publicKey);
  });

  test('the old key must have signed the same message', () => {
    const [old, , last] = rotate(world, device, { key: next }) as [TransactionInstruction, unknown, never];
    const [, other] = rotate(world, device, { key: next, message: { seq: 3n } }) as [unknown, TransactionInstruction];
    expect(send([old, other, last])).toBe('SignatureMessageMismatch');
    expect(send([other, last])).toBe('SignatureMissing');
    const stranger = { ...device, key: keyOf('stranger') };
    expect(send(rotate(world, stranger, { key: next }))).toBe('UnauthorizedMeter');
  });

  test('the message: this meter and owner, role and level as they are, the next epoch, another key, its window', () => {
    const now = windowAt(world.chain.time);
    for (const [message, name] of [
      [{ meterId: world.meter('1').id }, 'UnauthorizedMeter'],
      [{ owner: keyOf('x').publicKey.toBytes() }, 'UnauthorizedMeter'],
      [{ role: 1 }, 'MalformedMessage'],
      [{ deviceSigned: false }, 'MalformedMessage'],
      [{ keyEpoch: 0 }, 'KeyEpochMismatch'],
      [{ keyEpoch: 2 }, 'KeyEpochMismatch'],
      [{ networkId: new Uint8Array(8) }, 'WrongNetwork'],
      [{ zone: 8 }, 'ZoneMismatch'],
      [{ window: now + 1 }, 'EnrolmentWindowOutOfRange'],
      [{ window: now - 97 }, 'EnrolmentWindowOutOfRange'],
      [{ window: ENROLLED - 1 }, 'EnrolmentWindowOutOfRange'],
    ] as const) {
      expect(turn({ message }), name).toBe(name);
    }
    expect(turn({ key: device.key })).toBe('KeyUnchanged');
    expect(turn({ message: { window: ENROLLED } })).toBe('accepted');
  });

  test('not within 96 windows of the last change, and not back to the previous key', () => {
    expect(turn()).toBe('accepted');
    const changed = { ...device, key: next };
    const third = keyOf('third');
    world.chain.time = (record().lastRotationWindow + 96) * 900 - 1;
    expect(send(rotate(world, changed, { key: third }))).toBe('KeyRotatedRecently');
    expect(to('closed')).toBe('KeyRotatedRecently');
    world.chain.time += 1;
    expect(send(rotate(world, changed, { key: device.key }))).toBe('KeyUnchanged');
    expect(send(rotate(world, changed, { key: third }))).toBe('accepted');
    expect(record()).toMatchObject({ keyEpoch: 2, previousKey: next.publicKey });
  });

  test('what the slot stands on stays evidence: the old key speaks up to the slot, whatever window the message names', () => {
    expect(send(submit(world, device, said(9, 500n)))).toBe('accepted');
    expect(turn({ message: { window: ENROLLED + 3 } })).toBe('accepted');
    // Attestations under way may still land: the old key speaks through the window after the running one.
    expect(record()).toMatchObject({ previousKeyLastWindow: ENROLLED + 21, firstValidWindow: ENROLLED + 22 });
  });

  test('one previous key is on record: a further rotation waits until the slot has moved under the present key', () => {
    expect(send(submit(world, device, said(9, 500n)))).toBe('accepted');
    expect(turn()).toBe('accepted');
    const changed = { ...device, key: next };
    const third = keyOf('third');
    world.chain.time += 97 * 900;
    expect(send(rotate(world, changed, { key: third }))).toBe('SlotNotMoved');
    expect(send(submit(world, changed, said(30, 510n)))).toBe('accepted');
    expect(send(rotate(world, changed, { key: third }))).toBe('accepted');
  });

  test('the level stays as the utility confirmed it, whatever the message claims', () => {
    const doubted = world.meter('doubted');
    const options = { message: { deviceSigned: true, window: windowAt(world.chain.time) }, pending: true };
    world.chain.must(world.register(doubted, options), world.staff);
    world.chain.must([world.confirm(doubted)], world.staff);
    expect(record(doubted).signerLevel).toBe('gateway');
    expect(send(rotate(world, doubted, { key: next, message: { deviceSigned: true } }))).toBe('accepted');
    expect(record(doubted).signerLevel).toBe('gateway');
  });

  test('only by the utility, for a meter that lives; evidence meters have no page', () => {
    const list = rotate(world, device, { key: next });
    const last = list.at(-1) as TransactionInstruction;
    const keys = last.keys.map((meta, index) => (index === 0 ? { ...meta, pubkey: world.owner.publicKey } : meta));
    const byOwner = new TransactionInstruction({ programId: last.programId, keys, data: last.data });
    expect(send([...list.slice(0, -1), byOwner], [world.owner])).toBe('InvalidAuthority');
    const evidence = world.meter('evidence');
    const window = windowAt(world.chain.time);
    world.chain.must(world.register(evidence, { message: { role: 1, window } }), world.staff);
    expect(send(rotate(world, evidence, { key: next }))).toBe('accepted');
    close();
    expect(turn({ key: keyOf('third') })).toBe('MeterNotActive');
  });

  test('every wrong account, every malformed form', () => {
    expect(hostile(rotate(world, device, { key: next }))).toEqual([]);
    expect(hostile(rotate(world, device, { key: next, recovery: true }))).toEqual([]);
    expect(record().keyEpoch).toBe(0);
    expect(turn()).toBe('accepted');
  });
});
