// Style and types of the whole project, in TypeScript and Rust.
//   npm run lint         what is wrong, and where; changes nothing
//   npm run format       writes the layout of every file anew
//   npm run typecheck    TypeScript's types
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stop } from './script.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const biome = [join(root, 'node_modules/.bin/biome')];
const tsc = [process.execPath, join(root, 'node_modules/typescript/bin/tsc')];
/** Each task is a list of commands; all of them run, even after one fails. */
const tasks = {
  lint: [
    [...biome, 'check', '--error-on-warnings', root],
    ['sh', join(root, 'programs/toolchain/lint.sh')],
  ],
  format: [
    [...biome, 'check', '--write', root],
    ...['protocol/rust', 'programs'].map((folder) => [
      'cargo',
      'fmt',
      '--manifest-path',
      join(root, folder, 'Cargo.toml'),
    ]),
  ],
  typecheck: [[...tsc, '--noEmit', '-p', root]],
};

const [name, ...extra] = process.argv.slice(2);
if (!name || !Object.hasOwn(tasks, name)) stop(`usage: npm run ${Object.keys(tasks).join('|')}`);
if (extra.length > 0) stop(`npm run ${name}: unknown argument "${extra[0]}"; it takes none`);
/** Exit code of a script when a tool that it needs is not installed. */
const MISSING = 3;
const codes = tasks[name].map(([command, ...args]) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status);
if (codes.includes(MISSING))
  console.error('Rust was not checked: sh programs/toolchain/setup.sh installs the missing tools.');
process.exit(codes.every((code) => code === 0 || code === MISSING) ? 0 : 1);
