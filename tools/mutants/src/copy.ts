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

/** Lists the files that git tracks or would track. Throws when git fails. */
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

/** Links the installed packages; links our own packages to the copy. */
function linkModules(root: string, copy: string): void {
  const [from, to] = [join(root, 'node_modules'), join(copy, 'node_modules')];
  mkdirSync(join(to, '@gridtokenx'), { recursive: true });
  for (const name of readdirSync(from)) {
    // The tree and the copy must not share a cache of the test runner. Without the stamp, a command that a test starts
    // would reinstall everything, and remove the links.
    if (name === '@gridtokenx' || (name.startsWith('.') && !['.bin', '.gridtokenx-lock'].includes(name))) continue;
    symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(from, '@gridtokenx'))) {
    const link = join(from, '@gridtokenx', name);
    if (!lstatSync(link).isSymbolicLink()) continue;
    const target = resolve(dirname(link), readlinkSync(link)).slice(root.length + 1);
    symlinkSync(join(copy, target), join(to, '@gridtokenx', name));
    // A workspace may have its own versions beside those of the root.
    const own = join(root, target, 'node_modules');
    if (existsSync(own)) symlinkSync(own, join(copy, target, 'node_modules'));
  }
}

/** Copies the project's own files to a new folder; deletes earlier content there. Never changes the tree itself. */
export function makeCopy(root: string, files: readonly string[], copy: string): void {
  rmSync(copy, { recursive: true, force: true });
  for (const file of files) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(join(root, file), join(copy, file));
  }
  linkModules(root, copy);
}

/** Strips the types in a copy, because tests start services from the built files. Throws when that fails. */
export function buildCopy(copy: string): void {
  const { status, stderr } = spawnSync(process.execPath, [join(copy, 'tools/build.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the copy cannot be built: ${stderr}`);
}
