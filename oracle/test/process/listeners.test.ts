import { chmodSync, readdirSync, statSync } from 'node:fs';
import { get, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Running, startProcess } from '@gridtokenx/testing-kit/processes';
import { readableByOthers } from '@gridtokenx/testing-kit/readable-by-others';
import { JournalBuilder, meterOf, signerOf } from '@gridtokenx/testing-kit/signed-journal';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.js';
import { oracleFolder, startBroker } from '../support/process.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** More connections than any listener accepts. */
const FLOOD = 400;
const meter = meterOf(1);

let broker: Awaited<ReturnType<typeof startBroker>>;
let folder: ReturnType<typeof oracleFolder>;
let oracle: Running;
let gateway: TestGateway;
const sockets: Socket[] = [];

beforeAll(async () => {
  const { buildAll } = await import(new URL('../../../tools/build.mjs', import.meta.url).href);
  buildAll();
  broker = await startBroker();
  folder = oracleFolder([meter], broker.url);
  gateway = await TestGateway.connect(broker.url);
  // The default umask of a deployment whose operator never set one.
  process.umask(0o022);
  oracle = await startProcess(MAIN, ['run', '--config', folder.file]);
  await gateway.oracleOnline(1);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  oracle.child.kill('SIGKILL');
  await gateway.close();
  await broker.stop();
  folder.remove();
});

/** Opens connections that send `text` and never finish. */
async function flood(port: number, text: string): Promise<void> {
  for (let i = 0; i < FLOOD; i++) {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await new Promise<void>((resolve) => {
      socket.once('connect', () => {
        if (text) socket.write(text);
        resolve();
      });
      socket.once('close', () => resolve());
    });
  }
}

function ask(port: number, path: string, body?: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path, agent: false, method: body ? 'POST' : 'GET' };
    const sent = (body ? request : get)(options, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

// A test of the server itself, whose deadlines a test can move, shows that deadlines are not what makes room.
it.each([
  ['nothing', ''],
  ['headers without an end', 'POST /time HTTP/1.1\r\nhost: x\r\n'],
  ['a body that does not come', 'POST /time HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\n'],
])('gives time, page and health while both listeners are flooded by connections that say %s', async (_name, text) => {
  await flood(oracle.servicePort, text);
  await flood(oracle.port, text);
  for (let i = 0; i < 5; i++) {
    const answers = [
      await ask(oracle.servicePort, '/time', new Uint8Array(16)),
      await ask(oracle.port, '/readyz'),
      await ask(oracle.port, '/api/v1/state'),
    ];
    expect(answers).toEqual([200, 200, 200]);
  }
});

it('answers a flood of whole questions from this machine, and writes nothing about it', async () => {
  const before = oracle.output().length;
  const statuses = new Set<number>();
  for (let i = 0; i < 700; i++) statuses.add(await ask(oracle.servicePort, '/time', new Uint8Array(16)));
  for (let i = 0; i < 200; i++) await ask(oracle.servicePort, '/cosign', new Uint8Array(100)).catch(() => undefined);
  // Behind a proxy every client has this address, so request rates do not apply to it.
  expect([...statuses]).toEqual([200]);
  expect(await ask(oracle.port, '/readyz')).toBe(200);
  expect(oracle.output().length - before).toBeLessThan(5_000);
});

it('keeps its files to itself, those of SQLite included, and takes old ones back from others', async () => {
  gateway.send(meter.meterId, new JournalBuilder(meter, signerOf(1)).honest(1));
  await gateway.changed.until('an ack of all', () => gateway.acks.at(-1)?.meters.size ?? null);
  const data = dirname(folder.ledger);
  const names = () => readdirSync(data).sort();
  expect(names()).toEqual(expect.arrayContaining(['ledger.sqlite', 'ledger.sqlite-shm', 'ledger.sqlite-wal']));
  expect(names().filter((name) => name.endsWith('-wal')).length).toBeGreaterThan(1);
  expect(readableByOthers(data)).toEqual([]);
  // The folder as an earlier version and a kill left it.
  await oracle.kill('SIGKILL');
  for (const name of names()) chmodSync(join(data, name), 0o644);
  expect(readableByOthers(data)).not.toEqual([]);
  oracle = await startProcess(MAIN, ['run', '--config', folder.file]);
  expect(statSync(folder.ledger).mode & 0o777).toBe(0o600);
  expect(readableByOthers(data)).toEqual([]);
});
