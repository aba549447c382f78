import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mutant, mutantOf } from '../mutant.js';

export const VERSION = '27.1.0';
/** Folders of the Rust workspaces. */
export const WORKSPACES = ['protocol/rust', 'programs'] as const;

/** One entry of `cargo mutants --list --json`. */
interface Listed {
  readonly file: string;
  readonly genre: string;
  readonly replacement: string;
  readonly span: { readonly start: Mutant['start']; readonly end: Mutant['end'] };
}

/** Finds cargo-mutants below `tools`, or installs it there. Returns null where cargo is missing. */
export function findCargoMutants(tools: string, say: (line: string) => void): string | null {
  const binary = join(tools, 'bin', 'cargo-mutants');
  const versionOf = () => spawnSync(binary, ['mutants', '--version'], { encoding: 'utf8' }).stdout ?? '';
  if (existsSync(binary) && versionOf().includes(VERSION)) return binary;
  if (spawnSync('cargo', ['--version']).status !== 0) return null;
  say(`Installing cargo-mutants ${VERSION} below ${tools} (once, some minutes) ...`);
  const args = ['install', '--locked', '--quiet', '--root', tools, '--version', VERSION, 'cargo-mutants'];
  const { status } = spawnSync('cargo', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  return status === 0 ? binary : null;
}

/** Lists the mutants of the given Rust sources. Throws when cargo-mutants fails. */
export function rustMutants(root: string, files: readonly string[], binary: string): Mutant[] {
  return WORKSPACES.flatMap((workspace) => {
    const args = ['mutants', '--list', '--json', '--dir', join(root, workspace), '--workspace'];
    const { status, stdout, stderr } = spawnSync(binary, args, { encoding: 'utf8', maxBuffer: 1e8 });
    if (status !== 0) throw new Error(`cargo mutants --list: ${stderr.trim()}`);
    const listed: Listed[] = JSON.parse(stdout);
    return listed
      .map((each) => ({ ...each, file: `${workspace}/${each.file}` }))
      .filter(({ file }) => files.includes(file))
      .map(({ file, genre, replacement, span }) =>
        mutantOf(readFileSync(join(root, file), 'utf8'), {
          ...{ language: 'rust' as const, file, mutator: genre, replacement, ignored: null },
          ...{ start: span.start, end: span.end },
        }),
      );
  });
}
