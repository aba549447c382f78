import { join } from 'node:path';
import { systemClock } from '@gridtokenx/runtime/node';
import { temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterEach, expect, test, vi } from 'vitest';

import { nodeDisk } from '../../src/adapters/disk/node-disk.js';
import { framesOf } from '../../src/adapters/frames/line.js';
import { FrameRing } from '../../src/adapters/frames/ring.js';
import { frames } from '../../src/cli/commands.js';
import type { GatewayConfig } from '../../src/wiring/config.js';
import { HOUR_BYTES } from '../../src/wiring/sizes.js';

const directory = temporaryDirectory();
afterEach(() => {
  vi.restoreAllMocks();
  directory.remove();
});

test('the command prints what was kept on a real disk, of all meters or of one, and names those there are', async () => {
  const config = {
    data_dir: directory.path,
    meters: [
      { name: 'house', bus: 'cellar', unit: 1 },
      { name: 'flat', bus: 'cellar', unit: 2 },
    ],
  } as unknown as GatewayConfig;
  const ring = new FrameRing({
    disk: nodeDisk,
    dir: join(directory.path, 'frames'),
    clock: systemClock,
    hourBytes: HOUR_BYTES,
  });
  for (const unit of [1, 2, 1]) {
    const frame = Uint8Array.of(unit, 4, 2, 0, 7, 1, 2);
    ring.keep({ timeMs: systemClock.nowMs(), bus: 'cellar', unit, function: 4, address: 72, frame });
  }
  await ring.mark('cellar', 2);
  await ring.flush();
  let printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  await frames(config, undefined);
  const all = framesOf(printed).frames.map(({ unit }) => unit);
  printed = '';
  await frames(config, 'flat');
  const one = framesOf(printed).frames.map(({ unit }) => unit);
  vi.restoreAllMocks();
  // Prints a frame once although a discontinuity keeps it as well. Frames of one millisecond have no order.
  expect(all.sort()).toEqual(expect.arrayContaining([1, 2]));
  expect(one).toEqual([2]);
  await expect(frames(config, 'barn')).rejects.toThrow('there is no meter "barn": the configuration has house, flat');
});
