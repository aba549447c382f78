import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addFigures } from '../campaign.js';
import { SeedRanges } from './ranges.js';

interface StateFile {
  readonly version: 1;
  /** Of the code that the seeds were run with: seeds of other code prove nothing about this one. */
  readonly code: string;
  readonly passed: readonly (readonly [number, number])[];
  readonly figures: Readonly<Record<string, number>>;
  readonly busyMs: number;
}

/** Seeds that passed, and what they came to: a campaign that was stopped goes on behind them. */
export class CampaignState {
  readonly #path: string;
  readonly #code: string;
  readonly passed: SeedRanges;
  readonly figures: Record<string, number>;
  /** Wall-clock time of all runs together. */
  busyMs: number;
  /** Seeds of other code were there and are forgotten. */
  readonly isRenewed: boolean;

  /** Reads the file at `path`; one of other code, or none that can be read, counts as none. */
  constructor(path: string, code: string) {
    this.#path = path;
    this.#code = code;
    const before = readState(path);
    const isSame = before?.code === code;
    this.isRenewed = before !== null && !isSame;
    this.passed = new SeedRanges(isSame ? before.passed : []);
    this.figures = isSame ? { ...before.figures } : {};
    this.busyMs = isSame ? before.busyMs : 0;
  }

  pass(seed: number, figures: Readonly<Record<string, number>>): void {
    if (this.passed.has(seed)) return;
    this.passed.add(seed);
    addFigures(this.figures, figures);
  }

  /** Writes the file; it is whole at any moment. */
  save(): void {
    const { passed, figures, busyMs } = this;
    const file: StateFile = { version: 1, code: this.#code, passed: passed.toJSON(), figures, busyMs };
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(`${this.#path}.new`, `${JSON.stringify(file)}\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function readState(path: string): StateFile | null {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as StateFile;
    return file.version === 1 && Array.isArray(file.passed) ? file : null;
  } catch {
    return null;
  }
}

/** What is code: built JavaScript, what it reads as JSON or YAML, programs of the chain, scripts of other people's meters. */
const CODE = /\.(js|json|yaml|so|sh|py)$/;

/**
 * Fingerprint of the code at `paths` below `root`, each a file or a folder: 16 digits of SHA-256 over names and contents.
 * Throws for a path that is not there, and for a folder without code: one that is left out unnoticed vouches for nothing.
 */
export function fingerprint(root: string, paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    const names = statSync(join(root, path)).isDirectory()
      ? readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
          .filter((name) => CODE.test(name))
          .map((name) => join(path, name))
      : [path];
    if (names.length === 0) throw new Error(`no code in ${path}`);
    for (const name of names.sort()) {
      const bytes = readFileSync(join(root, name));
      hash.update(`${name}\0${bytes.length}\0`).update(bytes);
    }
  }
  return hash.digest('hex').slice(0, 16);
}
