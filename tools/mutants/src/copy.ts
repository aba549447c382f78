import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Lists the files that git keeps or would keep. Throws where git does not answer. */
export function ownFiles(root: string): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8', maxBuffer: 1e8 });
  if (status !== 0) throw new Error(`git ls-files: ${stderr.trim()}`);
  return [...new Set(stdout.split('\0'))].filter((file) => file !== '' && existsSync(join(root, file))).sort();
}

/** Hashes names and contents of files: another hash means another tree. */
export function hashOf(root: string, files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

/** Links the installed packages, but our own to the copy. */
function linkModules(root: string, copy: string): void {
  const [from, to] = [join(root, 'node_modules'), join(copy, 'node_modules')];
  mkdirSync(join(to, '@gridtokenx'), { recursive: true });
  for (const name of readdirSync(from)) {
    // A cache of the test runner must not be shared with the tree. Without the stamp, a command that a test starts
    // would install everything anew, and take the links away.
    if (name === '@gridtokenx' || (name.startsWith('.') && !['.bin', '.gridtokenx-lock'].includes(name))) continue;
    symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(from, '@gridtokenx'))) {
    const link = join(from, '@gridtokenx', name);
    if (!lstatSync(link).isSymbolicLink()) continue;
    const target = resolve(dirname(link), readlinkSync(link)).slice(root.length + 1);
    symlinkSync(join(copy, target), join(to, '@gridtokenx', name));
    // A workspace may have versions of its own beside those of the root.
    const own = join(root, target, 'node_modules');
    if (existsSync(own)) symlinkSync(own, join(copy, target, 'node_modules'));
  }
}

/** Copies the project's own files to a new folder; what was there goes. The tree itself is never changed. */
export function makeCopy(root: string, files: readonly string[], copy: string): void {
  rmSync(copy, { recursive: true, force: true });
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(root, file), join(copy, file));
  }
  linkModules(root, copy);
}

/** Strips the types in a copy, since tests start services from there. Throws when that fails. */
export function buildCopy(copy: string): void {
  const { status, stderr } = spawnSync(process.execPath, [join(copy, 'tools/build.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the copy cannot be built: ${stderr}`);
}
