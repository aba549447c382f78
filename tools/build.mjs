// Strips the types from every package's sources: src/**/*.ts -> dist/**/*.js, nothing else changes, so line numbers stay.
// Running TypeScript directly costs 14-17 MB a process; stripped JavaScript costs none. Only files that are newer are
// written again. Needs Node 24 (module.stripTypeScriptTypes).

import { spawnSync } from 'node:child_process';
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
// Not imported by name: an older Node has no such export, and would end with a stack trace before the check of its
// version.
import * as nodeModule from 'node:module';

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuseArguments, stop } from './script.mjs';

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
    if (isTs) writeFileSync(to, nodeModule.stripTypeScriptTypes(readFileSync(from, 'utf8'), { mode: 'strip' }));
    else copyFileSync(from, to);
  }
}

/** Removes built files whose source is gone, so that they do not run. */
function prune(target, kept) {
  if (!existsSync(target)) return;
  for (const entry of readdirSync(target, { withFileTypes: true })) {
    const path = join(target, entry.name);
    if (entry.isDirectory()) prune(path, kept);
    else if (!kept.has(path)) rmSync(path);
  }
}

/** The sources that a gateway consists of; the newest of them determines the build time of its software. */
const GATEWAY = ['edge', 'protocol', 'runtime'];

/**
 * Returns the moment that this software is not older than, in milliseconds since 1970. It is SOURCE_DATE_EPOCH, or the
 * commit time of the newest source, or else the time in the package. Never uses a file's time, which a copy or a touch
 * changes.
 */
function builtAtMs() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && /^\d{1,12}$/.test(given)) return 1000 * Number(given);
  const git = spawnSync('git', ['log', '-1', '--format=%ct', '--', ...GATEWAY.map((name) => `${name}/src`)], {
    cwd: root,
    encoding: 'utf8',
  });
  const seconds = git.status === 0 ? git.stdout.trim() : '';
  if (/^\d+$/.test(seconds)) return 1000 * Number(seconds);
  return Date.parse(JSON.parse(readFileSync(join(root, 'edge/package.json'), 'utf8')).released);
}

/**
 * Writes the build time into the gateway, which judges certificates by it while its clock is unsure [gateway §10.2].
 */
function stamp(target, kept) {
  const path = join(target, 'build.json');
  kept.add(path);
  const text = `${JSON.stringify({ version: 1, built_ms: builtAtMs() })}\n`;
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

export function buildAll() {
  for (const name of packages) {
    const kept = new Set();
    build(join(root, name, 'src'), join(root, name, 'dist'), kept);
    if (name === 'edge') stamp(join(root, name, 'dist'), kept);
    prune(join(root, name, 'dist'), kept);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  refuseArguments('tools/build.mjs', process.argv.slice(2));
  if (!nodeModule.stripTypeScriptTypes) {
    stop(`tools/build.mjs: Node ${process.versions.node} is too old; run "npm run build", which brings a newer one`);
  }
  // stripTypeScriptTypes is still marked experimental; its warning would be the first line of every start.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') console.error(warning);
  });
  buildAll();
}
