import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toHex } from '@gridtokenx/protocol';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { startProcess } from '@gridtokenx/testing-kit/processes';
import { JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { oracleFolder, startBroker } from '../support/process.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const meter = meterOf(1);

function command(...args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, output: (stdout + stderr).trim() }),
    );
  });
}

it('a damaged ledger: refused with one line, moved aside by the command, and gateways send again', async () => {
  const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
  buildAll();
  const broker = await startBroker();
  const page = { host: '127.0.0.1', port: await freePort() };
  const folder = oracleFolder([meter], broker.url, { page });
  const config = ['--config', folder.file];
  const gateway = await TestGateway.connect(broker.url);
  const log = new JournalBuilder(meter, signerOf(1)).honest(2);
  const all = BigInt(log.length);
  const run = async (times: number) => {
    const oracle = await startProcess(MAIN, ['run', ...config]);
    await gateway.oracleOnline(times);
    gateway.send(meter.meterId, log);
    await gateway.changed.until('all stored', () => (gateway.storedThrough(meter.meterId) === all ? true : null));
    return oracle;
  };
  const first = await run(1);
  const before = gateway.acks.at(-1)?.ledgerId;
  expect((await command('set-aside', ...config)).output).toContain('stop the oracle first');
  await first.kill('SIGKILL');
  expect(await command('set-aside', ...config)).toMatchObject({
    code: 2,
    output: `${folder.ledger} is intact; there is nothing to move`,
  });
  writeFileSync(folder.ledger, Buffer.alloc(8_192, 1));

  const refused = await command('run', ...config);
  expect(refused.code).toBe(2);
  expect(refused.output.split('\n').length).toBe(1);
  expect(refused.output).toMatch(/ledger\.sqlite is damaged .*gridtokenx-oracle set-aside --config FILE/);

  const moved = await command('set-aside', ...config);
  expect(moved.code, moved.output).toBe(0);
  expect(readdirSync(dirname(folder.ledger)).some((name) => name.startsWith('ledger.sqlite.damaged-'))).toBe(true);
  gateway.acks.length = 0;
  const second = await run(2);
  expect(toHex(gateway.acks.at(-1)?.ledgerId ?? new Uint8Array())).not.toBe(toHex(before ?? new Uint8Array()));
  await second.kill('SIGKILL');
  await gateway.close();
  await broker.stop();
  folder.remove();
}, 60_000);
