import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '@gridtokenx/runtime/node';
import { ModbusServer, simulateMeter } from '@gridtokenx/simulators';
import { afterEach, describe, expect, test } from 'vitest';

import { loadProfiles, loadSunspecModels } from '../../src/adapters/profiles/files.js';
import { openLine } from '../../src/cli/open-line.js';
import { networkPlan } from '../../src/domain/scan/plan.js';
import { Scan } from '../../src/domain/scan/scan.js';
import type { ScanOptions } from '../../src/domain/scan/state.js';
import { fromMbap, toMbap } from '../support/mbap.js';
import { profileMeter } from '../support/profile-meter.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function scanAt(port: number, way: 'tcp' | 'rtu-over-tcp', more: Partial<ScanOptions> = {}) {
  const notes: string[] = [];
  const scan = new Scan({
    stages: networkPlan(way),
    profiles: [...loadProfiles().values()],
    models: loadSunspecModels(),
    open: (setting) => openLine({ kind: 'network', host: '127.0.0.1', port }, setting),
    clock: systemClock,
    firstId: 65_530,
    signal: new AbortController().signal,
    onFound: () => {},
    onNote: (text) => notes.push(text),
    onProgress: () => {},
    onState: () => {},
    ...more,
  });
  const { found } = await scan.run();
  return { notes, found: found.map(({ unit, fits }) => `${unit} ${fits.map(({ profile }) => profile)}`) };
}

/** Starts a Modbus TCP device that answers as `answer` says: data, an exception's code, or nothing. */
async function device(
  answer: (unit: number, fn: number, address: number, count: number) => Uint8Array | number | null,
) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const { transaction, unit, pdu } of fromMbap(bytes)) {
        const [fn = 0] = pdu;
        const said = answer(unit, fn, pdu.readUInt16BE(1), pdu.readUInt16BE(3));
        if (typeof said === 'number') socket.write(toMbap(transaction, unit, [fn + 0x80, said]));
        else if (said) socket.write(toMbap(transaction, unit, [fn, said.length, ...said]));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

describe('a scan of an address', () => {
  test('takes a device that answers to every unit for one', { timeout: 30_000 }, async () => {
    const meter = profileMeter('carlo-gavazzi-em24-e1');
    const port = await device((_unit, fn, address, count) => meter(fn, address, count));
    const { found, notes } = await scanAt(port, 'tcp');
    expect(found).toEqual(['1 carlo-gavazzi-em24-e1']);
    expect(notes).toEqual([expect.stringMatching(/every unit number/)]);
  });

  test('finds the meters behind a converter, which says that others are not there', { timeout: 30_000 }, async () => {
    const meters = new Map([
      [2, profileMeter('orno-or-we-525')],
      [9, profileMeter('chint-dtsu666-a')],
    ]);
    const port = await device((unit, fn, address, count) => meters.get(unit)?.(fn, address, count) ?? 11);
    const { found, notes } = await scanAt(port, 'tcp', { expect: 2 });
    expect(found).toEqual(['2 orno-or-we-525', '9 chint-dtsu666-a']);
    expect(notes).toEqual([]);
  });

  test('finds meters behind a converter that carries raw frames, by reads only', { timeout: 30_000 }, async () => {
    const server = new ModbusServer('rtu-over-tcp', [
      simulateMeter({ profile: 'eastron-sdm630', unit: 1 }),
      simulateMeter({ profile: 'abb-b2x', unit: 4 }),
    ]);
    closing.push(() => server.close());
    const { found } = await scanAt(await server.listen('127.0.0.1', 0), 'rtu-over-tcp', { expect: 2 });
    expect(found).toEqual([expect.stringMatching(/^1 .*eastron-sdm630/), '4 abb-b2x']);
    expect(server.line.writes).toBe(0);
  });

  test('with raw frames asks a Modbus TCP server nothing that could be a write', { timeout: 30_000 }, async () => {
    const pdus: Buffer[] = [];
    const spy = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        for (const { pdu } of fromMbap(bytes)) pdus.push(pdu);
      });
    });
    await new Promise<void>((resolve) => spy.listen(0, '127.0.0.1', resolve));
    closing.push(() => spy.close());
    const at = (spy.address() as { port: number }).port;
    const stop = new AbortController();
    const seen = scanAt(at, 'rtu-over-tcp', {
      signal: stop.signal,
      onProgress: (_setting, unit) => {
        if (unit === 6) stop.abort();
      },
    });
    expect((await seen).found).toEqual([]);
    expect(pdus.length).toBeGreaterThan(3);
    expect(pdus.filter((pdu) => pdu.length > 1)).toEqual([]);
  });
});
