import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lossyLines } from '../../src/node/lossy-lines.js';

const failing = (code: string) => Object.assign(new Error(code), { code });

/** An output that takes `room` bytes, and then fails; with the text that came through. */
function narrow(code: string) {
  const out = { room: Number.POSITIVE_INFINITY, text: '', waits: 0 };
  const write = (bytes: Uint8Array) => {
    if (out.room === 0) throw failing(code);
    const part = bytes.subarray(0, Math.min(bytes.length, out.room));
    out.room -= part.length;
    out.text += Buffer.from(part).toString();
    return part.length;
  };
  return Object.assign(out, { lines: lossyLines(write, () => void out.waits++) });
}

describe('lines that the output does not take', () => {
  test.each(['ENOSPC', 'EPIPE', 'EIO', 'EBADF'])('are lost (%s), and the next ones are whole', (code) => {
    const out = narrow(code);
    out.lines.write('one\n');
    out.room = 2;
    out.lines.write('two\n');
    out.lines.write('three\n');
    out.room = 100;
    out.lines.write('four\n');
    expect(out.text).toBe('one\ntw\nfour\n');
    expect(out.waits).toBe(0);
  });

  test('wait for a slow reader, and not without end', () => {
    const out = narrow('EAGAIN');
    out.room = 0;
    out.lines.write('one\n');
    expect(out.waits).toBe(20);
    out.room = 100;
    out.lines.write('two\n');
    expect(out.text).toBe('two\n');
  });
});

test.skipIf(process.platform !== 'linux')('a process whose log is full goes on, and ends', () => {
  const script = `
    const { serviceLog } = await import(${JSON.stringify(join(import.meta.dirname, '../../dist/node/index.js'))});
    const log = serviceLog('x');
    log.info({}, 'begins');
    log.info({}, 'goes on');
    process.exit(7);`;
  const full = openSync('/dev/full', 'w');
  try {
    const args = ['--input-type=module', '-e', script];
    const { status, stderr } = spawnSync(process.execPath, args, { stdio: ['ignore', full, 'pipe'], timeout: 20_000 });
    expect(String(stderr)).toBe('');
    expect(status).toBe(7);
  } finally {
    closeSync(full);
  }
});
