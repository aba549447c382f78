/** Runs the gateway as a process, beside an oracle whose time is 40 days ahead of this machine's clock. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode, ed25519Signer, signTime } from '@gridtokenx/protocol';
import { forkProcess, freePort, until } from '@gridtokenx/testing-kit/processes';
import { expect, test } from 'vitest';
import { configTextOf } from '../../support/field-case.js';

const DAY = 86_400_000;
const GATEWAY = 'edge/dist/main.js';

test('a process takes the time of its oracle, and says by how much the machine is wrong', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gtx-clock-'));
  const oracle = ed25519Signer(new Uint8Array(32).fill(7));
  const server = createServer((request, response) => {
    request.once('data', (nonce: Buffer) => {
      response.end(signTime({ timeMs: Date.now() + 40 * DAY, nonce: new Uint8Array(nonce) }, oracle));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const [port, file] = [await freePort(), join(folder, 'gateway.json')];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = JSON.parse(configTextOf(1, { profile: 'eastron-sdm630' }));
  const changes = {
    ...{ data_dir: join(folder, 'data'), http: { host: '127.0.0.1', port } },
    oracles: [{ key: base58Encode(oracle.publicKey), url }],
  };
  writeFileSync(file, JSON.stringify({ ...config, ...changes }));
  expect(await forkProcess(GATEWAY, ['init', '--config', file]).exited).toMatchObject({ code: 0 });
  const gateway = forkProcess(GATEWAY, ['run', '--config', file]);
  type Status = { clock: Record<string, number | string>; problems: string[] };
  let status: Status | null = null;
  await until('the oracle was heard', async () => {
    status = await fetch(`http://127.0.0.1:${port}/api/v1/status`)
      .then((response) => response.json() as Promise<Status>)
      .catch(() => null);
    return status?.clock.source === 'oracle';
  });
  const { clock, problems } = status as unknown as Status;
  expect(Math.abs(Number(clock.machine_ahead_ms) + 40 * DAY)).toBeLessThan(1_000);
  expect(Number(clock.uncertainty_ms)).toBeLessThan(1_000);
  expect(Math.abs(Number(clock.now_ms) - Date.now() - 40 * DAY)).toBeLessThan(5_000);
  expect(problems.filter((words) => /clock|time/.test(words))).toEqual([]);
  await gateway.kill('SIGTERM');
  server.close();
  rmSync(folder, { recursive: true });
});
