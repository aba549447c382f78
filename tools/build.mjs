// Strips the types from every package's sources: src/**/*.ts -> dist/**/*.js, nothing else changes, so line numbers stay.
// Running TypeScript directly costs 14-17 MB a process; stripped JavaScript costs none. Only files that are newer are
// written again. Needs Node 24 (module.stripTypeScriptTypes).
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const packages = [
  'protocol',
  'runtime',
  'edge',
  'broker',
  'oracle',
  'programs/clients',
  'programs/sender',
  'simulators',
  'tools/audit',
  'tools/checks',
  'tools/devnet',
  'tools/mutants',
  'tools/submit',
  'testing/kit',
  'testing/campaigns',
  'testing/bench',
];

function build(source, target, kept) {
  if (!existsSync(source)) return;
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const from = join(source, entry.name);
    if (entry.isDirectory()) {
      build(from, join(target, entry.name), kept);
      continue;
    }
    const isTs = entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts');
    const to = join(target, isTs ? entry.name.replace(/\.ts$/, '.js') : entry.name);
    kept.add(to);
    if (existsSync(to) && statSync(to).mtimeMs >= statSync(from).mtimeMs) continue;
    mkdirSync(target, { recursive: true });
    if (isTs) writeFileSync(to, stripTypeScriptTypes(readFileSync(from, 'utf8'), { mode: 'strip' }));
    else copyFileSync(from, to);
  }
}

/** A source that is gone must not go on running. */
function prune(target, kept) {
  if (!existsSync(target)) return;
  for (const entry of readdirSync(target, { withFileTypes: true })) {
    const path = join(target, entry.name);
    if (entry.isDirectory()) prune(path, kept);
    else if (!kept.has(path)) rmSync(path);
  }
}

export function buildAll() {
  for (const name of packages) {
    const kept = new Set();
    build(join(root, name, 'src'), join(root, name, 'dist'), kept);
    prune(join(root, name, 'dist'), kept);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // stripTypeScriptTypes is still marked experimental; its warning would be the first line of every start.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') console.error(warning);
  });
  buildAll();
}
