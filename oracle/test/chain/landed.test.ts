import { asMeterId, asWh, asWindow } from '@gridtokenx/protocol';
import { expect, it } from 'vitest';
import { eventFrom, hasLandedAs } from '../../src/domain/settlement/landed.js';
import { type Intent, type MeterPageRead, SlotFlag, type SlotRead } from '../../src/domain/settlement/ports.js';

const before: SlotRead = {
  ...{ exportWh: asWh(100n), importWh: asWh(10n), window: asWindow(7), exportCapWh: 1_000, importCapWh: 1_000 },
  ...{ flags: SlotFlag.active, attestors: 1, epoch: 1 },
};
const items = [0, 1].map((slot) => ({
  meterId: asMeterId(`${slot}`.repeat(32)),
  slot,
  exportWh: asWh(150n),
  importWh: asWh(20n),
  before,
}));
const intent = {
  ...{ id: 1, createdAtMs: 0, kind: 'attest', zone: 1, page: 0, version: 4n, moves: 2, window: asWindow(8), items },
  ...{ history: new Uint8Array(32), expectedHistory: new Uint8Array(32).fill(9) },
  ...{ raw: new Uint8Array(), signature: 's', blockhash: 'b', lastValidHeight: 1 },
} as Intent;
const page = (slots: Partial<SlotRead>[], change: Partial<MeterPageRead> = {}) =>
  ({
    ...{ version: 5n, history: new Uint8Array(32).fill(9), moves: 2, zone: 1, page: 0 },
    slots: slots.map((slot) => ({ ...before, ...slot })),
    ...change,
  }) as MeterPageRead;
const skipped = (read: MeterPageRead | null) => [...eventFrom(intent, read).skipped];

it.each<[string, Partial<SlotRead>, boolean]>([
  ['exactly this total for this window', { exportWh: asWh(150n), window: asWindow(8) }, true],
  ['a larger total of a later window', { exportWh: asWh(151n), window: asWindow(9) }, true],
  ['the total of before', { exportWh: asWh(100n), window: asWindow(7) }, false],
  ['a total that is one less', { exportWh: asWh(149n), window: asWindow(8) }, false],
  ['this total for the window before', { exportWh: asWh(150n), window: asWindow(7) }, false],
])('a slot that shows %s tells whether it took its total', (_name, slot, took) => {
  expect(skipped(page([slot, { exportWh: asWh(150n), window: asWindow(8) }]))).toEqual(took ? [] : [0]);
});

it('without a page nothing was taken', () => expect(skipped(null)).toEqual([0, 1]));

it.each<[string, boolean, MeterPageRead | null]>([
  ['the next version with the history that it makes', true, page([])],
  ['the version of before', false, page([], { version: 4n })],
  ['a version further on', false, page([], { version: 6n })],
  ['the next version with another history', false, page([], { history: new Uint8Array(32) })],
  ['no page', false, null],
])('%s: landed is %s', (_name, expected, read) => expect(hasLandedAs(intent, read)).toBe(expected));

it('of a mint the page tells nothing', () => {
  expect(hasLandedAs({ ...intent, kind: 'mint_page', expectedHistory: null }, page([]))).toBe(false);
});
