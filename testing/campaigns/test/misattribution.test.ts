import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALL_FAULTS } from '../src/misattribution/faults.js';
import { misattributionCampaign, partOf } from '../src/misattribution/index.js';
import { playNoise } from '../src/misattribution/noise.js';
import { peerProgram } from '../src/misattribution/peers/installed.js';
import { playLibrary } from '../src/misattribution/peers/modbus-serial.js';
import { play } from '../src/misattribution/play.js';
import { REAL_LINES } from '../src/misattribution/real/lines.js';
import { playReal, REAL_RATES } from '../src/misattribution/real/play.js';

describe('reads on a disturbed line', { timeout: 120_000 }, () => {
  it('never give the value of one register for another', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const { faults, figures } = await play(seed, { reads: 1_000, rates: ALL_FAULTS, isShort: false });
      expect(faults).toEqual([]);
      expect(figures.reads).toBeGreaterThan(500);
      expect(figures['bus: late']).toBeGreaterThan(0);
    }
  });

  it('do so when answers come later than the quarantine is long', async () => {
    const control = misattributionCampaign.controls.quarantine;
    if (!control) throw new Error('no control');
    const repair = control.install();
    let wrong = 0;
    try {
      for (let seed = 1; seed <= control.seeds && wrong === 0; seed++)
        wrong += (await misattributionCampaign.run(seed)).faults.length;
    } finally {
      repair();
    }
    expect(wrong).toBeGreaterThan(0);
  });
});

describe.runIf(process.platform === 'linux')('reads on real lines', { timeout: 120_000 }, () => {
  it('never give the value of one register for another', async () => {
    const lines = [...REAL_LINES, ...REAL_LINES, ...REAL_LINES];
    const { faults, figures } = await playReal(1, { lines, reads: 60, rates: REAL_RATES, isShort: false });
    expect(faults).toEqual([]);
    for (const kind of REAL_LINES) expect(figures[`${kind}: good`]).toBeGreaterThan(100);
    expect(figures['real bus: late']).toBeGreaterThan(0);
  });

  it('do so when answers come later than the quarantine is long', async () => {
    const lines = Array.from({ length: 12 }, () => 'rtu-over-tcp' as const);
    let wrong = 0;
    // More answers are late, so that a short run has at least one.
    const rates = { ...REAL_RATES, late: 0.15 };
    for (let seed = 1; seed <= 5 && wrong === 0; seed++)
      wrong += (await playReal(seed, { lines, reads: 120, rates, isShort: true })).faults.length;
    expect(wrong).toBeGreaterThan(0);
  });
});

describe('rows of their own', () => {
  it('modbus-serial by itself gives one register for another on the same line, and the campaign sees it', async () => {
    const { faults, figures } = await playLibrary(1, { kind: 'rtu-over-tcp', meters: 1, reads: 150 });
    expect(faults).toEqual([]);
    expect(figures['modbus-serial, rtu-over-tcp, 1 meter: wrong']).toBeGreaterThan(0);
  });

  it.runIf(process.platform === 'linux')('a peer that cannot be had is said and left out', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gtx-peers-'));
    try {
      // A machine with a shell and without Go or Python.
      for (const tool of ['sh', 'mkdir', 'flock']) {
        const path = ['/usr/bin', '/bin'].map((bin) => join(bin, tool)).find((one) => existsSync(one));
        if (path) symlinkSync(path, join(folder, tool));
      }
      const env = { PATH: folder, GTX_PEERS_PREFIX: join(folder, 'peers') };
      expect(peerProgram('telegraf', env)).toBeNull();
      expect(peerProgram('pymodbus', env)).toBeNull();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('noise that a CRC-16 cannot always find passes as seldom as it should', () => {
    const { faults, figures } = playNoise(1, 30_000);
    expect(faults).toEqual([]);
    expect(figures['noise: another body: judged by CRC']).toBe(30_000);
    expect(figures['noise: 4 to 40 flipped bits: judged by CRC']).toBeGreaterThan(5_000);
  });

  it('draws the kind of a seed from it: a full run has its shares, a few seeds from anywhere are a mixture', () => {
    const { seeds } = misattributionCampaign;
    const namesFrom = (first: number, count: number) =>
      Array.from({ length: count }, (_, i) => partOf(first + i).name).sort();
    const full = namesFrom(1, seeds);
    const count = (name: string) => full.filter((other) => other === name).length;
    expect(['injected', 'real', 'later copies', 'noise', 'modbus-serial', 'pymodbus', 'telegraf'].map(count)).toEqual([
      300, 40, 10, 10, 6, 4, 3,
    ]);
    expect(namesFrom(1 + 5 * seeds, seeds)).toEqual(full);
    for (const first of [0, 1, 400, 1_000_003, 2 ** 40])
      expect(new Set(namesFrom(first, 60)).size, `from ${first}`).toBeGreaterThan(2);
  });
});
