import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProcess } from '@gridtokenx/testing-kit/processes';
import { JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { until } from '@gridtokenx/testing-kit/until';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeServer, say } from '../influx/support.js';
import { TestGateway } from '../support/gateway.js';
import { oracleFolder, startBroker } from '../support/process.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const meter = meterOf(1);
let broker: Awaited<ReturnType<typeof startBroker>>;

beforeAll(async () => {
  const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
  buildAll();
  broker = await startBroker();
});
afterAll(() => broker.stop());

function folderFor(url: string, mode: number) {
  const influx = { url, org: 'gtx', bucket: 'gtx-raw', token_file: 'influx-token' };
  const folder = oracleFolder([meter], broker.url, { influx });
  const token = join(folder.directory, 'influx-token');
  writeFileSync(token, 'a-token\n');
  chmodSync(token, mode);
  return folder;
}

describe('the oracle with a time series server', () => {
  it('brings readings there through a failure, shows how far, and still publishes them live', async () => {
    const lines = new Set<string>();
    let failures = 1;
    const server = await fakeServer((request, response) => {
      if (failures-- > 0) return say(response, 503, 'starting');
      for (const line of request.lines) lines.add(line);
      return say(response, 204);
    });
    const folder = folderFor(server.url, 0o600);
    const gateway = await TestGateway.connect(broker.url);
    const oracle = await startProcess(MAIN, ['run', '--config', folder.file]);
    try {
      await gateway.oracleOnline(1);
      const log = new JournalBuilder(meter, signerOf(1)).honest(2, 4);
      gateway.send(meter.meterId, log);
      await until('all readings arrive', () => lines.size === 8);
      const live = () => gateway.other.some(({ topic }) => topic.includes(`/live/1/${meter.meterId}`));
      await gateway.changed.until('a live reading', () => (live() ? true : null));
      const base = `http://127.0.0.1:${oracle.port}`;
      const state = async () =>
        ((await (await fetch(`${base}/api/v1/state`)).json()) as { time_series: object }).time_series;
      let shown: object = {};
      await until('the state shows it', async () => {
        shown = await state();
        return 'written' in shown && shown.written === 8;
      });
      expect(shown).toMatchObject({ refused: 0, failures: 0, problem: null });
      expect(await (await fetch(`${base}/metrics`)).text()).toMatch(/gtx_oracle_series_written 8\n/);
      expect((await oracle.kill('SIGTERM')).code).toBe(0);
      expect(oracle.output()).not.toContain('a-token');
    } finally {
      oracle.child.kill('SIGKILL');
      await gateway.close();
      await server.stop();
      folder.remove();
    }
  });

  it('a token file that others may read is refused in one line, exit code 2', async () => {
    const folder = folderFor('http://127.0.0.1:1', 0o644);
    try {
      await expect(startProcess(MAIN, ['run', '--config', folder.file])).rejects.toThrow(
        /ended with 2: .*influx-token: others may read this InfluxDB token \(mode 0\d+\); chmod 600 it[^\n]*\n$/,
      );
    } finally {
      folder.remove();
    }
  });
});
