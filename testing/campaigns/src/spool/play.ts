import { CrashDisk, type Fate, SectorFate } from '@gridtokenx/testing-kit/crash-disk';
import { Random } from '@gridtokenx/testing-kit/random';
import { addFigures, type Outcome } from '../campaign.js';
import { Ledger } from './ledger.js';
import {
  beginLife,
  declareLost,
  driven,
  type Life,
  METER_IDS,
  playStep,
  SPOOL_DIR,
  START_MS,
  type Step,
} from './life.js';
import { rules } from './rules.js';

const STEPS = 34;
const KINDS: readonly Step['kind'][] = [
  ...['reading', 'reading', 'reading', 'reading', 'reading', 'reading', 'close', 'close', 'event', 'read'],
  ...['trim', 'trim', 'scrub', 'ack'],
] as const satisfies readonly Step['kind'][];
/** Time between two lives on one disk, ms. */
const PAUSE_MS = 3_600_000;

/** Draws the steps of a life. */
export function stepsOf(random: Random, count = STEPS): Step[] {
  return Array.from({ length: count }, () => ({
    kind: random.pick(KINDS),
    meter: random.int(0, METER_IDS.length - 1),
    part: random.pick([0.3, 0.7, 1]),
  }));
}

function diskWith(fate: Fate): CrashDisk {
  const disk = new CrashDisk(fate);
  disk.skipsSync = !rules.sync;
  disk.skipsDirSync = !rules.directorySync;
  return disk;
}

/** Plays a life of these steps until its end or the end of the power. Never rejects for a power cut. */
export async function live(
  disk: CrashDisk,
  ledger: Ledger,
  steps: readonly Step[],
  atMs: number,
): Promise<Life | null> {
  try {
    const life = await beginLife(disk, ledger, atMs);
    for (const step of steps) {
      if (disk.isOff) break;
      await playStep(life, ledger, step);
    }
    return life;
  } catch (error) {
    if (!disk.isOff) ledger.faults.add(`a start was refused: ${(error as Error).message}`);
    return null;
  }
}

/** Starts again on what the disk holds, scrubs, and judges. */
async function judgeRestart(
  disk: CrashDisk,
  ledger: Ledger,
  mayLose: number,
  what: string,
  atMs: number,
): Promise<void> {
  const life = await live(disk, ledger, [], atMs);
  if (!life) return;
  for (let i = 0; i < 16; i++) await driven(disk, life.time, life.spool.scrub());
  await declareLost(life, ledger);
  await ledger.judge(life, mayLose, what);
  for (const step of stepsOf(new Random(1, what), 6)) await playStep(life, ledger, step);
}

/** Plays one script once for each call to the disk that changes something, with the power cut there. */
export async function playCuts(seed: number): Promise<Outcome> {
  const random = new Random(seed, 'spool/cuts');
  const steps = stepsOf(random);
  const [more, gone] = [stepsOf(random, 8), random.int(0, 400)];
  const figures: Record<string, number> = {};
  const faults = new Set<string>();
  for (let fuse = 0; ; fuse++) {
    const fate = new SectorFate(new Random(seed * 10_000 + fuse, 'spool/fate'));
    const disk = diskWith(fate);
    const ledger = new Ledger();
    disk.fuse = fuse;
    await live(disk, ledger, steps, START_MS);
    if (!disk.isOff) break;
    disk.restart();
    // Recovery may be cut as well.
    if (fuse % 5 === 0) {
      disk.fuse = gone % 40;
      await live(disk, ledger, more, START_MS + PAUSE_MS);
      disk.restart();
    }
    await judgeRestart(disk, ledger, 0, `cut ${fuse}`, START_MS + 2 * PAUSE_MS);
    for (const fault of ledger.faults) faults.add(fault);
    addFigures(figures, { cuts: 1, thinned: ledger.thinned, 'sectors dropped': fate.dropped });
  }
  return { faults: [...faults], figures };
}

/** Makes a disk after one whole life, with its ledger. */
async function wholeLife(seed: number, name: string) {
  const random = new Random(seed, `spool/${name}`);
  const disk = diskWith(new SectorFate(random));
  const ledger = new Ledger();
  await live(disk, ledger, stepsOf(random, 2 * STEPS), START_MS);
  return { random, disk, ledger };
}

const isSpoolFile = (name: string) => name.startsWith(`${SPOOL_DIR}/`);

/** Truncates the newest segment of each stream at each byte. */
export async function playTruncations(seed: number): Promise<Outcome> {
  const { disk, ledger } = await wholeLife(seed, 'truncate');
  const image = disk.image();
  const figures = { truncations: 0 };
  const faults = new Set<string>(ledger.faults);
  for (const stream of ['r', 's']) {
    const names = [...image.keys()].filter(
      (name) => name.startsWith(`${SPOOL_DIR}/${stream}-`) && name.endsWith('.seg'),
    );
    const newest = names.sort().at(-1);
    const bytes = newest ? image.get(newest) : undefined;
    if (!newest || !bytes) continue;
    for (let length = 0; length < bytes.length; length++) {
      const copy = CrashDisk.fromImage(new Map([...image, [newest, bytes.slice(0, length)]]));
      const own = ledger.copy();
      const lost = Math.ceil((bytes.length - length) / 187);
      await judgeRestart(copy, own, lost, `${stream} cut to ${length} bytes`, START_MS + PAUSE_MS);
      for (const fault of own.faults) faults.add(fault);
      figures.truncations++;
    }
  }
  return { faults: [...faults], figures };
}

const FLIPS = 100;

/** Flips bits, one to three for each start, in any file: segments, indexes, checkpoint, states. */
export async function playFlips(seed: number): Promise<Outcome> {
  const { random, disk, ledger } = await wholeLife(seed, 'flips');
  const figures = { flips: 0, 'states flipped': 0 };
  const faults = new Set<string>(ledger.faults);
  for (let trial = 0; trial < FLIPS; trial++) {
    const image = disk.image();
    const names = [...image.keys()].filter((name) => (image.get(name)?.length ?? 0) > 0);
    const segments = names.filter((name) => name.endsWith('.seg'));
    const flips = random.pick([1, 1, 2, 3]);
    let damaged = 0;
    for (let i = 0; i < flips; i++) {
      const name = random.pick(random.chance(0.6) ? segments : names);
      const bytes = image.get(name) as Uint8Array;
      const bit = random.int(0, 8 * bytes.length - 1);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (name.endsWith('.seg')) damaged++;
      if (!isSpoolFile(name)) figures['states flipped']++;
      figures.flips++;
    }
    const own = ledger.copy();
    await judgeRestart(CrashDisk.fromImage(image), own, damaged, `flip ${trial}`, START_MS + PAUSE_MS);
    for (const fault of own.faults) faults.add(fault);
  }
  return { faults: [...faults], figures };
}

/** Plays one script once for each call to the disk, reads included, with an error there that lasts for some calls. */
export async function playErrors(seed: number): Promise<Outcome> {
  const random = new Random(seed, 'spool/errors');
  const steps = stepsOf(random);
  const [code, lasts] = [random.pick(['ENOSPC', 'EIO', 'EIO', 'EROFS']), random.pick([1, 1, 2, 5])];
  const figures: Record<string, number> = {};
  const faults = new Set<string>();
  for (let at = 1; ; at++) {
    const disk = diskWith(new SectorFate(new Random(seed, 'spool/fate')));
    const ledger = new Ledger();
    // A full or read-only disk still reads.
    disk.fault = (call, isChange) => (call >= at && call < at + lasts && (isChange || code === 'EIO') ? code : null);
    // A part of the life comes before, so that starts meet the error as well.
    await live(disk, ledger, steps.slice(0, 20), START_MS);
    const life = await live(disk, ledger, steps.slice(20), START_MS + PAUSE_MS);
    if (disk.calls < at) break;
    disk.fault = () => null;
    if (life) for (const step of stepsOf(new Random(at, 'spool/more'), 4)) await playStep(life, ledger, step);
    await judgeRestart(disk, ledger, 0, `${code} at call ${at}`, START_MS + 2 * PAUSE_MS);
    for (const fault of ledger.faults) faults.add(fault);
    addFigures(figures, { [`errors ${code}`]: 1, thinned: ledger.thinned });
  }
  return { faults: [...faults], figures };
}

/** Starts on a disk that refuses every change, and signs once it accepts them. */
export async function playReadOnly(seed: number): Promise<Outcome> {
  const { disk, ledger, random } = await wholeLife(seed, 'read-only');
  const code = random.pick(['EROFS', 'ENOSPC', 'EIO']);
  disk.fault = (_call, isChange) => (isChange ? code : null);
  const life = await live(disk, ledger, stepsOf(random, 10), START_MS + PAUSE_MS);
  const faults = new Set(ledger.faults);
  if (life) {
    await ledger.judge(life, 0, `start on ${code}`);
    // Nothing could be declared yet.
    for (const fault of ledger.faults) if (!/declare/.test(fault)) faults.add(fault);
    ledger.faults.clear();
    disk.fault = () => null;
    await life.time.advance(20_000);
    for (const step of stepsOf(random, 10)) await playStep(life, ledger, step);
  }
  await judgeRestart(disk, ledger, 0, `after ${code}`, START_MS + 2 * PAUSE_MS);
  for (const fault of ledger.faults) faults.add(fault);
  return { faults: [...faults], figures: { 'read-only starts': 1 } };
}
