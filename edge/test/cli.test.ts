import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCli } from '@gridtokenx/runtime/node';
import { build, command } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

const GATEWAY = 'edge/dist/main.js';
const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');
const SAMPLE = parse(/```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '') as Record<string, unknown>;
let dir: string;
beforeAll(build);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gridtokenx-cli-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function configured(change: object): string {
  const path = join(dir, 'gateway.json');
  writeFileSync(path, JSON.stringify({ ...SAMPLE, ...change }));
  return path;
}

describe('the gateway ends with', () => {
  test('2 and one line for an option that there is not', async () => {
    for (const args of [['run', '--nonsense'], ['run'], ['nonsense']]) {
      const { code, output } = await command(GATEWAY, args);
      expect([args, code, output.trim().split('\n').length]).toEqual([args, 2, 1]);
      expect(output).toContain('--help');
    }
  });

  test('2 and one line for a data directory that cannot be made', async () => {
    writeFileSync(join(dir, 'file'), '');
    // Below /proc Node's own way to create folders never ends.
    for (const data of [join(dir, 'file', 'data'), '/proc/gridtokenx/data']) {
      const { code, output } = await command(GATEWAY, ['init', '--config', configured({ data_dir: data })]);
      expect([code, output.trim().split('\n').length]).toEqual([2, 1]);
      expect(output).toContain(`data_dir ${data} cannot be created`);
    }
  });

  test('2 and one line for a pipe in place of a file: it would be waited for without end', async () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const args = ['scan', '127.0.0.1:9', '--out', join(dir, 'out.yaml'), '--base', pipe];
    const { code, output } = await command(GATEWAY, args);
    expect([code, output]).toEqual([2, `${pipe}: is no regular file; name a file\n`]);
  });

  test('0 for help and version', async () => {
    expect((await command(GATEWAY, ['--help'])).code).toBe(0);
    expect(await command(GATEWAY, ['--version'])).toMatchObject({ code: 0 });
  });

  test('1 and a stack for a defect of ours, also when it has a code', async () => {
    const ends: number[] = [];
    let told = '';
    await runCli(
      {
        name: 'gridtokenx-gateway',
        description: '',
        commands: (program) => {
          program.command('run').action(() => {
            throw Object.assign(new TypeError('ours'), { code: 'ERR_INVALID_ARG_TYPE' });
          });
        },
      },
      {
        ...{ argv: ['run'], out: () => {}, exitCode: () => undefined, exit: (code) => ends.push(code) },
        err: (text) => {
          told += text;
        },
      },
    );
    expect(ends).toEqual([1]);
    expect(told).toMatch(/TypeError: ours[\s\S]*\n\s+at /);
  });
});
