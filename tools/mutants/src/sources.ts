import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folders whose sources run at a household, at an oracle or on chain. Simulators and tools do not. */
const TYPESCRIPT = ['protocol/src', 'runtime/src', 'edge/src', 'broker/src', 'oracle/src', 'programs/clients/src'];
const OPTIONAL = ['programs/sender/src'];
const RUST = ['protocol/rust', 'programs'];
const SKIPPED = ['node_modules', 'dist', 'target', 'generated', 'tests', 'toolchain', 'clients', 'sender'];

function* walk(root: string, folder: string, ending: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!SKIPPED.includes(entry.name)) yield* walk(root, path, ending);
    } else if (entry.name.endsWith(ending) && entry.name !== 'build.rs') yield path;
  }
}

export interface Sources {
  readonly typescript: readonly string[];
  readonly rust: readonly string[];
}

/** Lists the product's sources. Paths are relative to the project's folder, with `/`. */
export function productSources(root: string): Sources {
  const folders = [...TYPESCRIPT, ...OPTIONAL.filter((folder) => existsSync(join(root, folder)))];
  return {
    typescript: folders.flatMap((folder) => [...walk(root, folder, '.ts')]).sort(),
    rust: RUST.flatMap((folder) => [...walk(root, folder, '.rs')]).sort(),
  };
}

/** Counts the lines of files. */
export function linesOf(root: string, files: readonly string[]): number {
  return files.reduce((sum, file) => sum + readFileSync(join(root, file), 'utf8').split('\n').length, 0);
}
