import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrashDisk } from '@gridtokenx/testing-kit/crash-disk';
import { afterEach } from 'vitest';
import { nodeDisk } from '../../src/adapters/disk/node-disk.js';
import type { Disk } from '../../src/domain/ports.js';

/** Builds the function that gives each test a disk and an empty folder on it; the folder goes after the test. */
export function spoolPlaces(kind: 'memory' | 'node'): () => { disk: Disk; dir: string } {
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });
  return () => {
    if (kind === 'memory') return { disk: new CrashDisk(), dir: '/spool' };
    const dir = mkdtempSync(join(tmpdir(), 'gridtokenx-spool-'));
    cleanups.push(() => rmSync(dir, { recursive: true }));
    return { disk: nodeDisk, dir: join(dir, 'spool') };
  };
}
