import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { LoadClient } from '../src/mqtt-client.js';
import { cpuMsOf, peakMbOf } from '../src/processes.js';
import { median, reaches, tableOf } from '../src/table.js';

describe('figures', () => {
  it('are the middle of what was measured', () => {
    expect(median([3, 1, 100])).toBe(3);
    expect(median([4, 1, 2, 100])).toBe(3);
    expect(() => median([])).toThrow(RangeError);
  });

  it('reach a goal, miss it, or have none', () => {
    expect([reaches(0.91, '>= 0.9'), reaches(0.89, '>= 0.9'), reaches(81, '<= 80')]).toEqual([true, false, false]);
    expect(reaches(1, '')).toBeNull();
    const row = { name: 'ratio', value: 0.5, unit: '', toBeat: '', goal: '>= 0.9' };
    expect(tableOf([row]).join('\n')).toContain('NOT met');
  });

  it.skipIf(process.platform !== 'linux')('of a process come from the system', () => {
    expect(peakMbOf(process.pid)).toBeGreaterThan(10);
    expect(cpuMsOf(process.pid)).toBeGreaterThan(0);
    expect([peakMbOf(2 ** 30), cpuMsOf(2 ** 30)]).toEqual([null, null]);
  });
});

describe('the load client', () => {
  let server: Server | null = null;
  afterEach(() => server?.close());

  /** A broker that replays a test's answer to each packet type, a byte at a time. */
  async function brokerThat(answer: (type: number, packet: Buffer) => Buffer | null): Promise<number> {
    const running = createServer((socket) => {
      socket.setNoDelay(true);
      socket.on('data', (chunk) => {
        for (const packet of packetsIn(chunk)) reply(socket, answer((packet[0] ?? 0) >> 4, packet));
      });
    });
    server = running;
    await new Promise<void>((resolve) => running.listen(0, '127.0.0.1', resolve));
    const address = running.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  function reply(socket: Socket, bytes: Buffer | null): void {
    for (const byte of bytes ?? []) socket.write(Buffer.of(byte));
  }

  /** Yields packets of less than 128 bytes that lie whole in a chunk: these tests send no others. */
  function* packetsIn(chunk: Buffer): Generator<Buffer> {
    for (let at = 0; at < chunk.length; ) {
      const end = at + 2 + (chunk[at + 1] ?? 0);
      yield chunk.subarray(at, end);
      at = end;
    }
  }

  const options = (port: number) => ({ port, clientId: 'c', userName: 'u', password: Buffer.from('p') });

  it('keeps its window, counts every PUBACK, and takes packets in pieces', async () => {
    const held: Buffer[] = [];
    let most = 0;
    const port = await brokerThat((type, packet) => {
      if (type === 1) return Buffer.of(0x20, 2, 0, 0);
      if (type !== 3) return null;
      held.push(Buffer.of(0x40, 2, packet[5] ?? 0, packet[6] ?? 0));
      most = Math.max(most, held.length);
      // Answered in pairs: the client must continue with the packets that its window allows.
      return held.length === 2 ? Buffer.concat(held.splice(0)) : null;
    });
    const client = await LoadClient.connect(options(port));
    await client.publishAll(
      Array.from({ length: 10 }, () => ({ topic: 't', payload: Uint8Array.of(1, 2, 3) })),
      2,
    );
    client.close();
    expect([most, held.length]).toEqual([2, 0]);
  });

  it('hands on what comes and acknowledges it', async () => {
    let acknowledged = 0;
    const message = Buffer.from([0x32, 6, 0, 1, 0x74, 0, 9, 0x21]);
    const port = await brokerThat((type, packet) => {
      if (type === 1) return Buffer.of(0x20, 2, 0, 0);
      if (type === 8) return Buffer.concat([Buffer.of(0x90, 3, 0, 1, 1), message]);
      if (type === 4) acknowledged = packet[3] ?? 0;
      // The answer to a publish follows the PUBACK for ours, so the test knows that the client received it.
      return type === 3 ? Buffer.of(0x40, 2, 0, 1) : null;
    });
    const got = Promise.withResolvers<string>();
    const client = await LoadClient.connect({
      ...options(port),
      onMessage: (topic, payload) => got.resolve(`${topic} ${payload.toString()}`),
    });
    await client.subscribe(['t']);
    expect(await got.promise).toBe('t !');
    await client.publishAll([{ topic: 't', payload: Uint8Array.of(1) }], 1);
    client.close();
    expect(acknowledged).toBe(9);
  });

  it('says why it was refused, and that a connection broke', async () => {
    const refusing = await brokerThat(() => Buffer.of(0x20, 2, 0, 5));
    await expect(LoadClient.connect(options(refusing))).rejects.toThrow('code 5');
    server?.close();
    const closing = createServer((socket) => socket.once('data', () => socket.destroy()));
    server = closing;
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
    const address = closing.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await expect(LoadClient.connect(options(port))).rejects.toThrow('closed the connection');
  });
});
