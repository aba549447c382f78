import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { flockDirectory, lockDirectory } from '../src/adapters/lock/lock.js';
import { networkFileSystem } from '../src/adapters/lock/mounts.js';

const LOCK = fileURLToPath(new URL('../dist/adapters/lock/lock.js', import.meta.url));
/** Locks the directory in its argument, says so, and works on until killed. */
const HOLDER = `const { flockDirectory } = await import(${JSON.stringify(LOCK)});
const release = flockDirectory(process.argv[1]);
process.stdout.write(release ? 'held' : 'refused');
if (release) setInterval(() => {}, 60_000);`;
/** True where this machine lets a process have a network of its own, as containers do. */
const canUnshare = spawnSync('unshare', ['--net', 'true']).status === 0;
const started: ChildProcess[] = [];
let directory: ReturnType<typeof temporaryDirectory>;
beforeAll(build);
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  directory.remove();
});

/** Starts a process that locks `path`; resolves with the process and its first word. */
async function holder(path: string, before: readonly string[] = []): Promise<[ChildProcess, string]> {
  const [program = '', ...args] = [...before, process.execPath, '--input-type=module', '-e', HOLDER, path];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  const word = await new Promise<string>((resolve) => {
    child.stdout.once('data', (data) => resolve(String(data)));
    child.once('exit', () => resolve('ended'));
  });
  return [child, word];
}

const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

describe('a data directory is held by one process at a time', () => {
  test('in one process, by each of its names, until released', async () => {
    const real = join(directory.path, 'data');
    const link = join(directory.path, 'link');
    mkdirSync(real);
    symlinkSync(real, link);
    const first = await lockDirectory(real);
    expect(first).not.toBeNull();
    expect(await lockDirectory(link)).toBeNull();
    await first?.release();
    const second = await lockDirectory(link);
    expect(second).not.toBeNull();
    await second?.release();
  });

  test('kill -9 of the holder frees it', async () => {
    const [child, word] = await holder(directory.path);
    expect(word).toBe('held');
    expect(await lockDirectory(directory.path)).toBeNull();
    child.kill('SIGKILL');
    await ended(child);
    const lock = await lockDirectory(directory.path);
    expect(lock).not.toBeNull();
    await lock?.release();
  });

  test('a failed attempt leaves the lock with its holder, and nothing locked behind', async () => {
    const [child] = await holder(directory.path);
    expect(flockDirectory(directory.path)).toBeNull();
    expect((await holder(directory.path))[1]).toBe('refused');
    child.kill('SIGKILL');
    await ended(child);
    expect((await holder(directory.path))[1]).toBe('held');
  });

  test.runIf(canUnshare)('also between containers, whose names in the kernel are their own', async () => {
    const [child, word] = await holder(directory.path, ['unshare', '--net']);
    expect(word).toBe('held');
    expect(await lockDirectory(directory.path)).toBeNull();
    child.kill('SIGKILL');
    await ended(child);
  });
});

describe('a network file system', () => {
  const table = (...mounts: [point: string, type: string][]) =>
    mounts
      .map(([point, type], i) => `${i + 20} 1 8:${i} / ${point} rw,relatime shared:1 - ${type} source rw`)
      .join('\n');

  test.each([
    ['/srv/gateway', 'nfs4'],
    ['/srv/gateway/data', 'nfs4'],
    ['/mnt/share/data', 'cifs'],
    ['/mnt/remote disk/data', 'fuse.sshfs'],
  ])('holds %s: %s', (path, type) => {
    const mounts = table(
      ['/', 'ext4'],
      ['/srv/gateway', 'nfs4'],
      ['/mnt/share', 'cifs'],
      ['/mnt/remote\\040disk', 'fuse.sshfs'],
    );
    expect(networkFileSystem(path, mounts)).toBe(type);
  });

  test.each([
    ['/data', table(['/', 'ext4'])],
    ['/srv/gateway2', table(['/', 'ext4'], ['/srv/gateway', 'nfs'])],
    ['/srv/gateway/local', table(['/', 'ext4'], ['/srv/gateway', 'nfs'], ['/srv/gateway/local', 'f2fs'])],
    ['/srv/gateway', table(['/srv/gateway', 'nfs'], ['/srv/gateway', 'ext4'])],
    ['/usb', table(['/usb', 'fuseblk'])],
    ['/box', table(['/', 'fuse.fuse-overlayfs'])],
    ['/data', ''],
    ['/data', 'a line of another kind\n - \n'],
  ])('does not hold %s', (path, mounts) => {
    expect(networkFileSystem(path, mounts)).toBeNull();
  });

  test('is refused with one line, and nothing is locked', async () => {
    const refused = lockDirectory(directory.path, () => table(['/', 'nfs4']));
    await expect(refused).rejects.toThrow('is on a network file system (nfs4)');
    await expect(refused).rejects.toMatchObject({ name: 'OperatorError' });
    const lock = await lockDirectory(directory.path);
    expect(lock).not.toBeNull();
    await lock?.release();
  });
});
