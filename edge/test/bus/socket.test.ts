import { createServer, type Server, type Socket } from 'node:net';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { afterEach, describe, expect, test } from 'vitest';

import { busAt } from '../../src/adapters/modbus/open.js';

import { withCrc } from '../../src/domain/bus/crc.js';
import { toMbap } from '../../src/domain/bus/mbap.js';
import { ReplyQuarantine, USUAL_RULES } from '../../src/domain/bus/reply-quarantine.js';
import { ReadFailure } from '../../src/domain/ports.js';

const _random = { bytes: () => new Uint8Array(8), fraction: () => 0 };
const reply = (unit: number, fn: number, data: readonly number[]) =>
  withCrc(Uint8Array.of(unit, fn, data.length, ...data));

const CHOICES = [4, 6, 8].map((count) => ({ address: 72, count }));
const words = (count: number, value: number) => Array.from({ length: 2 * count }, () => value);

describe('a real socket', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });
  const listen = async (serve: (socket: Socket) => void): Promise<number> => {
    const server: Server = createServer((socket) => {
      cleanups.push(() => socket.destroy());
      socket.on('error', () => {});
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    return (server.address() as { port: number }).port;
  };
  const busOn = (transport: 'tcp' | 'rtu-over-tcp', port: number) => {
    const base = { host: '127.0.0.1', port };
    const address = transport === 'tcp' ? { transport, ...base, converter: false } : { transport, ...base };
    const options = {
      requestMs: 150,
      connectMs: 1_000,
      timeoutMinMs: 50,
      restMs: 0,
      quarantine: new ReplyQuarantine(USUAL_RULES),
    };
    const bus = busAt({ log: quietLog, name: 'bus', address, clock: systemClock, random: systemRandom, ...options });
    cleanups.push(() => bus.close());
    return bus;
  };

  test.each(['tcp', 'rtu-over-tcp'] as const)(
    'over %s that is silent, resets or answers noise gives a failure in time and never hangs',
    async (transport) => {
      const behaviours: ((socket: Socket) => void)[] = [
        () => {},
        (socket) => socket.once('data', () => socket.resetAndDestroy()),
        (socket) => socket.once('data', () => socket.end()),
        (socket) => socket.once('data', () => socket.write(Buffer.alloc(64, 0xff))),
      ];
      for (const behave of behaviours) {
        const bus = busOn(transport, await listen(behave));
        await expect(bus.read(1, 4, CHOICES, { periodMs: 10_000 })).rejects.toMatchObject({ name: 'ReadError' });
      }
    },
  );

  test('with a wrong transaction id, unit or length closes the connection and gives no value', async () => {
    const wrong: ((request: Buffer) => Uint8Array)[] = [
      (request) => toMbap(request.readUInt16BE(0) ^ 1, reply(1, 4, words(4, 9))),
      (request) => toMbap(request.readUInt16BE(0), reply(2, 4, words(4, 9))),
      (request) => toMbap(request.readUInt16BE(0), reply(1, 4, words(5, 9))),
      (request) => toMbap(request.readUInt16BE(0), reply(1, 3, words(4, 9))),
    ];
    for (const answer of wrong) {
      let closed = 0;
      const port = await listen((socket) => {
        socket.on('data', (request) => socket.write(answer(request)));
        socket.on('close', () => closed++);
      });
      const bus = busOn('tcp', port);
      const failed = bus.read(1, 4, CHOICES, { periodMs: 10_000 });
      await expect(failed).rejects.toMatchObject({ failure: ReadFailure.connection });
      expect(bus.stats.counts).toMatchObject({ violations: 1, lost_connections: 1, answers: 0 });
      await expect.poll(() => closed).toBe(1);
    }
  });

  test('that nobody listens on says what to look at', async () => {
    const port = await listen(() => {});
    for (const cleanup of cleanups.splice(0)) cleanup();
    await expect(busOn('tcp', port).read(1, 4, CHOICES, { periodMs: 10_000 })).rejects.toThrow('is the meter on');
  });
});
