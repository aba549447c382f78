import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { at, Random } from '@gridtokenx/testing-kit/random';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { campaignNames, loadCampaign } from '../src/catalogue.js';
import { Pool } from '../src/runner/pool.js';
import { SeedRanges } from '../src/runner/ranges.js';
import { CampaignState, fingerprint } from '../src/runner/state.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gtx-campaign-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('ranges of seeds', () => {
  it('hold what was added, in as few ranges as there are', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), (seeds) => {
        const ranges = new SeedRanges();
        for (const seed of seeds) ranges.add(seed);
        const wanted = new Set(seeds);
        expect(ranges.count).toBe(wanted.size);
        for (let seed = 0; seed <= 61; seed++) expect(ranges.has(seed)).toBe(wanted.has(seed));
        const starts = [...wanted].filter((seed) => !wanted.has(seed - 1)).sort((a, b) => a - b);
        expect(ranges.toJSON().map(([first]) => first)).toEqual(starts);
      }),
    );
  });
});

describe('the state of a campaign', () => {
  it('goes on with the same code, and begins anew with other code or a damaged file', () => {
    const path = join(folder, 'state', 'x.json');
    const first = new CampaignState(path, 'a');
    first.pass(3, { messages: 5 });
    first.pass(3, { messages: 5 });
    first.save();
    const second = new CampaignState(path, 'a');
    expect([second.passed.has(3), second.figures.messages, second.isRenewed]).toEqual([true, 5, false]);
    const other = new CampaignState(path, 'b');
    expect([other.passed.count, other.figures, other.isRenewed]).toEqual([0, {}, true]);
    writeFileSync(path, readFileSync(path).subarray(0, 20));
    expect(new CampaignState(path, 'a').passed.count).toBe(0);
  });

  it('knows code by its content, in files and folders, and does without none of it', () => {
    mkdirSync(join(folder, 'dist'));
    writeFileSync(join(folder, 'dist', 'a.js'), '1');
    writeFileSync(join(folder, 'ids.json'), '{}');
    const now = () => fingerprint(folder, ['dist', 'ids.json']);
    const seen = [now()];
    writeFileSync(join(folder, 'dist', 'notes.txt'), '1');
    expect(now()).toBe(seen[0]);
    writeFileSync(join(folder, 'dist', 'a.js'), '2');
    seen.push(now());
    writeFileSync(join(folder, 'dist', 'program.so'), '1');
    seen.push(now());
    writeFileSync(join(folder, 'ids.json'), '{ }');
    seen.push(now());
    expect(new Set(seen).size).toBe(seen.length);
    expect(() => fingerprint(folder, ['dist', 'gone'])).toThrow('ENOENT');
    mkdirSync(join(folder, 'empty'));
    expect(() => fingerprint(folder, ['empty'])).toThrow('no code in empty');
  });
});

describe('processes that run seeds', () => {
  const program = () => {
    const path = join(folder, 'worker.mjs');
    writeFileSync(
      path,
      `process.on('message', ({ seed }) => {
         if (seed === 3) process.exit(7);
         if (seed === 4) return;
         if (seed === 5) process.send({ seed, error: 'broken' });
         else process.send({ seed, outcome: { faults: seed === 2 ? ['wrong'] : [], figures: { seed } } });
       });
       process.on('disconnect', () => process.exit(0));
       process.send({ type: 'ready' });`,
    );
    return path;
  };
  let loaded = 0;
  async function faultsOf(seeds: number[], secondsPerSeed: number, seedsPerProcess?: number) {
    loaded = 0;
    const found = new Map<number, readonly string[]>();
    const pool = new Pool({
      program: program(),
      args: [],
      workers: 2,
      secondsPerSeed,
      seedsPerProcess,
      onLoaded: () => void loaded++,
      seeds: seeds.values(),
      onFinished: ({ seed, outcome }) => void found.set(seed, outcome.faults),
    });
    await pool.run();
    return found;
  }

  it('finish each seed once; one that dies, hangs or is broken fails its seed and no other', async () => {
    const found = await faultsOf([1, 2, 3, 4, 5, 6, 7, 8], 3);
    expect([...found.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const failed = [...found].filter(([, faults]) => faults.length > 0).sort(([a], [b]) => a - b);
    expect(failed.map(([seed, faults]) => `${seed}: ${faults[0]}`)).toEqual([
      '2: wrong',
      '3: the process ended with code 7',
      '4: takes longer than 3 s',
      '5: the campaign is broken: broken',
    ]);
  });

  it('are replaced after so many seeds, and each seed is still run once', async () => {
    const seeds = [6, 7, 8, 9, 10, 11, 12];
    const found = await faultsOf(seeds, 30, 2);
    expect([...found.keys()].sort((a, b) => a - b)).toEqual(seeds);
    expect([...found.values()].flat()).toEqual([]);
    expect(loaded).toBeGreaterThanOrEqual(4);
    await faultsOf(seeds, 30);
    expect(loaded).toBeLessThanOrEqual(2);
  });
});

describe('random numbers', () => {
  it('follow from the seed and the name, and differ between neighbours', () => {
    const numbers = (seed: number, name: string) => {
      const random = new Random(seed, name);
      return Array.from({ length: 8 }, () => random.int(0, 999));
    };
    expect(numbers(1, 'a')).toEqual(numbers(1, 'a'));
    const lists = [numbers(1, 'a'), numbers(2, 'a'), numbers(1, 'b'), numbers(1 + 2 ** 32, 'a')];
    expect(new Set(lists.map(String)).size).toBe(4);
  });

  it('stay within their bounds and reach both', () => {
    const random = new Random(5);
    const seen = new Set(Array.from({ length: 500 }, () => random.int(2, 5)));
    expect([...seen].sort()).toEqual([2, 3, 4, 5]);
    const mean = Array.from({ length: 5_000 }, () => random.fraction()).reduce((a, b) => a + b) / 5_000;
    expect(mean).toBeGreaterThan(0.47);
    expect(mean).toBeLessThan(0.53);
    expect([...random.shuffled([1, 2, 3, 4])].sort()).toEqual([1, 2, 3, 4]);
    expect(() => at([], 0)).toThrow(RangeError);
  });
});

describe('the catalogue', () => {
  it('has every campaign under its own name, each with controls', async () => {
    for (const name of campaignNames) {
      const campaign = await loadCampaign(name);
      expect(campaign.name).toBe(name);
      expect(Object.keys(campaign.controls).length).toBeGreaterThan(0);
    }
    for (const name of ['nothing', 'constructor', '__proto__', 'toString']) {
      await expect(loadCampaign(name)).rejects.toThrow(`no campaign "${name}"`);
    }
  });

  /** Returns the sources that a source imports, including itself, with `dist` mapped back to `src`. */
  function importsOf(path: string, seen = new Set<string>()): Set<string> {
    if (seen.has(path)) return seen;
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, name = ''] of text.matchAll(/(?:from|import) '([^']+)'/g)) {
      const found = placeOf(name, path);
      if (found) importsOf(found, seen);
    }
    return seen;
  }
  const workspace: Record<string, string> = {
    'chain-client': 'programs/clients',
    'chain-sender': 'programs/sender',
    'testing-kit': 'testing/kit',
    audit: 'tools/audit',
    devnet: 'tools/devnet',
  };
  function placeOf(name: string, from: string): string | null {
    const [, app = '', rest = ''] = /^#(oracle|edge)\/(.+)$/.exec(name) ?? [];
    const [, pack = '', file = 'index.js'] = /^@gridtokenx\/([^/]+)(?:\/(.+))?$/.exec(name) ?? [];
    if (app) return join(ROOT, app, 'src', rest.replace(/\.js$/, '.ts'));
    if (pack) {
      const path = join(ROOT, workspace[pack] ?? pack, 'src', file.replace(/\.js$/, ''));
      return existsSync(`${path}.ts`) ? `${path}.ts` : join(path, 'index.ts');
    }
    if (!name.startsWith('.')) return null;
    const path = join(dirname(from), name);
    return name.endsWith('.json') ? path : path.replace(/\.js$/, '.ts');
  }

  /** Programs that a campaign starts or loads by path, beside its own modules. */
  const programs: Record<string, string[]> = {
    chain: ['testing/campaigns/src/chain/campaign.ts'],
    kill: [
      'testing/kit/src/chain/world.ts',
      'tools/devnet/src/start/main.ts',
      'tools/devnet/src/chain/main.ts',
      'tools/devnet/src/verify-report.ts',
      'tools/audit/src/main.ts',
    ].concat(
      ['edge', 'broker', 'oracle', 'simulators'].map(
        (name) => `${name}/src/${name === 'simulators' ? 'meters-main' : 'main'}.ts`,
      ),
    ),
  };
  const real = [
    'tools/devnet/src/start/main.ts',
    'tools/devnet/src/chain/main.ts',
    'simulators/src/meters-main.ts',
  ].concat(
    ['edge', 'broker', 'oracle'].map((name) => `${name}/src/main.ts`),
    ['attacker', 'hook'].map((name) => `testing/campaigns/src/neighbours/real/${name}.ts`),
    'testing/campaigns/src/kill/guard.ts',
  );
  programs['neighbours-real'] = real;
  programs.attacks = real;
  /** Source where a campaign begins, when it is not in a folder of its name. */
  const places: Record<string, string> = {
    'neighbours-real': 'neighbours/real/index.ts',
    attacks: 'neighbours/real/attacks.ts',
  };
  // The frame around all seeds, which they do not depend on.
  const frame = ['testing/campaigns/dist/campaign.js'];

  it.each(campaignNames)('vouches for all the code that the seeds of "%s" run', async (name) => {
    const { code } = await loadCampaign(name);
    const entries = [`testing/campaigns/src/${places[name] ?? `${name}/index.ts`}`, ...(programs[name] ?? [])];
    const built = entries
      .flatMap((entry) => [...importsOf(join(ROOT, entry))])
      .map((path) =>
        relative(ROOT, path)
          .replace(/(^|\/)src\//, '$1dist/')
          .replace(/\.ts$/, '.js'),
      );
    const covered = (path: string) => [...code, ...frame].some((part) => path === part || path.startsWith(`${part}/`));
    expect(built.length).toBeGreaterThan(10);
    expect(built.filter((path) => !covered(path))).toEqual([]);
    for (const part of code) expect(existsSync(join(ROOT, part)), part).toBe(true);
    expect(fingerprint(ROOT, code)).toMatch(/^[0-9a-f]{16}$/);
  });
});
