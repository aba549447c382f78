import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ack, asPublicKeyText, asWindow } from '@gridtokenx/protocol';
import { describe, expect, it } from 'vitest';
import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { KeyStore } from '../src/adapters/keys/key-store.js';
import { encodeRecord, HEADER_BYTES } from '../src/adapters/spool/record.js';
import { AckTracker } from '../src/domain/delivery/ack-tracker.js';
import { encodeState, FRESH_STATE } from '../src/domain/signing/meter-state.js';

const page = readFileSync(new URL('../../docs/specs/gateway.md', import.meta.url), 'utf8');

/** Reads the cells of the table under a numbered heading, without its head. */
function tableOf(section: string): string[][] {
  const text = page.split(/^(?=### )/m).find((part) => part.startsWith(`### ${section} `)) ?? '';
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Finds the keys that a table names in its first column. */
function keysOf(section: string): string[] {
  return tableOf(section).flatMap(([cell]) => [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, key]) => key ?? ''));
}

const pair = { importWh: 1n, exportWh: 2n };

describe('docs/specs/gateway.md', () => {
  it('has the keys of a state file', () => {
    const state = JSON.parse(
      encodeState({ ...FRESH_STATE, point: { window: asWindow(1), ...pair, production: pair, consumption: pair } }),
    );
    const point = Object.keys(state.point).map((key) => `.${key}`);
    const shown = keysOf('3.1').map((key) => key.replace(/^point\./, '.'));
    expect(shown).toEqual([...Object.keys(state), ...point]);
  });

  it('has the keys of the acks that are kept', () => {
    const oracle = asPublicKeyText(new Uint8Array(32).fill(1));
    const quarantine = new AckTracker([oracle], 1);
    const mark = { storedThrough: 1n, highestSeen: 2n, highestWindow: asWindow(3) };
    const ack: Ack = {
      ledgerId: new Uint8Array(16),
      timeMs: 1,
      gateway: new Uint8Array(32),
      meters: new Map([['00', mark]]),
      refused: [],
    };
    quarantine.accept(oracle, ack);
    const kept = JSON.parse(quarantine.encode());
    expect(keysOf('3.3')).toEqual([
      'version',
      'hash',
      ...Object.keys(kept.oracles[0]).map((key) => `oracles[].${key}`),
    ]);
    expect(kept.oracles[0].meters).toEqual([['00', '1', '2', 3]]);
  });

  it('has the keys of the key files', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gtx-keys-'));
    try {
      const keys = new KeyStore(nodeDisk, dir, {
        bytes: (length) => new Uint8Array(length).fill(7),
        fraction: () => 0,
      });
      await keys.gateway(true, { binding: { source: 'unbound' }, rebound: [] });
      await keys.meter('m', { manufacturer: 'a', model: 'b', serial: 'c' }, true);
      await keys.point('p', new Uint8Array(16), new Uint8Array(16).fill(1), true);
      const written = (name: string) => Object.keys(JSON.parse(readFileSync(join(dir, name), 'utf8')));
      expect(keysOf('2.1')).toEqual(written('gateway.json'));
      expect(keysOf('2.2')).toEqual(written('meter-m.json'));
      expect(keysOf('2.3')).toEqual(written('point-p.json'));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('has the bytes of a spool record', () => {
    const message = Uint8Array.from({ length: 171 }, (_, i) => i);
    const record = encodeRecord(0x0102030405060708n, message);
    const rows = tableOf('4.2');
    expect(rows.map(([at]) => Number(at))).toEqual([0, 2, 4, 8, HEADER_BYTES]);
    expect(rows.map(([, size]) => size)).toEqual(['2', '2', '4', '8', 'length']);
    expect(rows[0]?.[3]).toContain(`\`${Buffer.from(record.subarray(0, 2)).toString('hex').replace(/../, '$& ')}\``);
    const view = new DataView(record.buffer);
    expect(view.getUint16(2, true)).toBe(message.length);
    expect(view.getBigUint64(8, true)).toBe(0x0102030405060708n);
    expect(record.subarray(HEADER_BYTES)).toEqual(message);
  });
});
