import { asWindow } from '@gridtokenx/protocol';
import { systemRandom } from '@gridtokenx/runtime/node';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { describe, expect, test } from 'vitest';
import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { KeyError, KeyStore } from '../src/adapters/keys/key-store.js';

import { PairQueue } from '../src/domain/signing/connection-point.js';
import { IDS, idOf, inputOf, POINT } from './support/point-run.js';

describe('what waits', () => {
  test('is bounded, keeps windows rising, and forgets what has no counterpart', () => {
    const pairs = new PairQueue();
    for (let window = 1; window <= 10_000; window++) pairs.add('production', inputOf(window, 0, window));
    pairs.add('production', inputOf(3, 0, 1));
    expect(pairs.next()).toBeNull();
    pairs.add('consumption', inputOf(5_000, 0, 0));
    expect(pairs.next()).toBeNull();
    pairs.add('consumption', inputOf(9_999, 0, 0));
    expect(pairs.next()?.production).toMatchObject({ window: 9_999, exportWh: 9_999n });
    pairs.pass(asWindow(9_999));
    expect(pairs.next()).toBeNull();
  });
});

describe('the key of a point', () => {
  test('is made once for two meters and refused for others', async () => {
    const { path, remove } = temporaryDirectory();
    try {
      const keys = new KeyStore(nodeDisk, path, systemRandom);
      const { production, consumption } = IDS;
      await expect(keys.point('home', production, consumption, false)).rejects.toThrow('run "init" first');
      const made = await keys.point('home', production, consumption, true);
      expect(made.meterId).toEqual(POINT);
      const again = await keys.point('home', production, consumption, true);
      expect(again.signer.publicKey).toEqual(made.signer.publicKey);
      const other = keys.point('home', production, idOf('another meter'), true);
      await expect(other).rejects.toThrow(/^the key of point home was made for other meters/);
      await expect(other).rejects.toThrow(KeyError);
    } finally {
      remove();
    }
  });
});
