import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addFigures } from '../campaign.js';
import { SeedRanges } from './ranges.js';

interface StateFile {
  readonly version: 1;
  /** Fingerprint of the code that ran the seeds: seeds of other code prove nothing about this code. */
  readonly code: string;
  readonly passed: readonly (readonly [number, number])[];
  readonly figures: Readonly<Record<string, number>>;
  readonly busyMs: number;
}

/** Seeds that passed, and their figures: a stopped campaign continues behind them. */
export class CampaignState {
  readonly #path: string;
  readonly #code: string;
  readonly passed: SeedRanges;
  readonly figures: Record<string, number>;
  /** Wall-clock time of all runs together. */
  busyMs: number;
  /** True when seeds of other code existed and were discarded. */
  readonly isRenewed: boolean;

  /** Reads the file at `path`; treats a file of other code, or an unreadable file, as missing. */
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

  /** Writes the file; the file is whole at any moment. */
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

/** Matches code: built JavaScript, its JSON or YAML data, programs of the chain, scripts of third-party meters. */
const CODE = /\.(js|json|yaml|so|sh|py)$/;

/**
 * Returns the fingerprint of the code at `paths` below `root`, each a file or a folder: 16 digits of SHA-256 over names
 * and contents. Throws for a missing path, and for a folder without code: an omitted folder would prove nothing.
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
