import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import {
  answerPdu,
  boundaryLeadMs,
  crc16,
  highestSpeed,
  type MeterTransport,
  ModbusServer,
  mbapFramer,
  meterUnit,
  PROFILE_HEADER,
  parseProfiles,
  rtuFrame,
  rtuFramer,
  SimulatedMeter,
  simulateMeter,
} from '../src/index.js';

const require = createRequire(import.meta.url);
const ModbusRTU = require('modbus-serial') as typeof import('modbus-serial').default;

const [home] = parseProfiles(`${PROFILE_HEADER}\na,0,0,1000\na,900,600,0\n`);
if (!home) throw new Error('no home');
const position = { positionMs: 0, moving: false };
const meter = (model: 'eastron-sdm630' | 'eastron-sdm120') =>
  new SimulatedMeter({
    model,
    serial: 0x0102_0304,
    initialImportWh: 1_234_567n,
    initialExportWh: 15_999_999n,
    profile: home,
    position: { now: () => position },
  });

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  Object.assign(position, { positionMs: 0, moving: false });
});

async function serve(transport: MeterTransport, model: 'eastron-sdm630' | 'eastron-sdm120' = 'eastron-sdm630') {
  const server = new ModbusServer(transport, new Map([[7, meter(model).unit]]));
  const port = await server.listen('127.0.0.1', 0);
  cleanups.push(() => server.close());
  return { server, port };
}

async function connect(transport: MeterTransport, port: number) {
  const client = new ModbusRTU();
  if (transport === 'tcp') await client.connectTCP('127.0.0.1', { port });
  else await client.connectTelnet('127.0.0.1', { port });
  client.setID(7);
  client.setTimeout(2000);
  cleanups.push(() => new Promise<void>((resolve) => client.close(resolve)));
  return client;
}

const float = (words: number[]) => {
  const view = new DataView(new ArrayBuffer(4));
  for (const [i, word] of words.entries()) view.setUint16(2 * i, word);
  return view.getFloat32(0);
};

describe.each(['tcp', 'rtu-over-tcp'] as const)('a master over %s', (transport) => {
  test('reads energy, power, voltage, frequency and the serial number', async () => {
    const { port } = await serve(transport);
    const client = await connect(transport, port);
    Object.assign(position, { positionMs: 450_000, moving: true });
    const energy = (await client.readInputRegisters(72, 4)).data;
    expect(Math.round(float(energy.slice(0, 2)) * 1000)).toBe(1_234_567);
    expect(Math.round(float(energy.slice(2, 4)) * 1000)).toBe(16_000_499);
    const values = (await client.readInputRegisters(0, 72)).data;
    expect(float(values.slice(52, 54))).toBe(-4000);
    expect(float(values.slice(0, 2))).toBe(234);
    expect(float(values.slice(70, 72))).toBe(50);
    expect((await client.readHoldingRegisters(64_512, 2)).data).toEqual([0x0102, 0x0304]);
  });

  test('gets exceptions for what is not there', async () => {
    const { port } = await serve(transport);
    const client = await connect(transport, port);
    await expect(client.readInputRegisters(400, 2)).rejects.toMatchObject({ modbusCode: 2 });
    await expect(client.readInputRegisters(0, 81)).rejects.toMatchObject({ modbusCode: 2 });
    await expect(client.readHoldingRegisters(0, 2)).rejects.toMatchObject({ modbusCode: 2 });
    await expect(client.readCoils(0, 1)).rejects.toMatchObject({ modbusCode: 1 });
    await expect(client.writeRegister(72, 0)).rejects.toMatchObject({ modbusCode: 1 });
    expect((await client.readInputRegisters(72, 2)).data).toHaveLength(2);
  });

  test('gets no answer for another unit, and the line goes on', async () => {
    const { port, server } = await serve(transport);
    const client = await connect(transport, port);
    client.setID(8);
    client.setTimeout(50);
    await expect(client.readInputRegisters(72, 2)).rejects.toMatchObject({ name: 'TransactionTimedOutError' });
    expect(server.answered).toBe(0);
    client.setID(7);
    client.setTimeout(2000);
    expect((await client.readInputRegisters(72, 2)).data).toHaveLength(2);
  });
});

test('power is at 12 on an SDM120, and 0 while the profile stands', async () => {
  const { port } = await serve('tcp', 'eastron-sdm120');
  const client = await connect('tcp', port);
  Object.assign(position, { positionMs: 1000, moving: true });
  expect(float((await client.readInputRegisters(12, 2)).data)).toBe(-4000);
  position.moving = false;
  expect(float((await client.readInputRegisters(12, 2)).data)).toBe(0);
});

test('a float32 in kWh keeps every watt-hour below 16,384 kWh, and not above', () => {
  const read = (wh: bigint) => {
    const unit = meterUnit('eastron-sdm630', 1, () => ({
      importWh: wh,
      exportWh: 0n,
      powerW: 0,
      voltageV: 230,
      frequencyHz: 50,
    }));
    return Math.round(float([...(unit.read(4, 72, 2) as Uint16Array)]) * 1000);
  };
  void fc.assert(
    fc.property(fc.integer({ min: 0, max: 16_383_999 }), (wh) => read(BigInt(wh)) === wh),
    { numRuns: 5000 },
  );
  const above = Array.from({ length: 1000 }, (_, i) => 16_384_000 + i);
  expect(above.some((wh) => read(BigInt(wh)) !== wh)).toBe(true);
});

test('an initial reading of 16,000 kWh is refused', () => {
  expect(
    () =>
      new SimulatedMeter({
        model: 'eastron-sdm120',
        serial: 1,
        initialImportWh: 16_000_000n,
        initialExportWh: 0n,
        profile: home,
        position: { now: () => position },
      }),
  ).toThrow('16,000 kWh');
});

describe('frames', () => {
  const request = Uint8Array.of(4, 0, 72, 0, 4);

  test('the CRC is the published one', () => {
    // The check value of CRC-16/MODBUS over "123456789".
    expect(crc16(new TextEncoder().encode('123456789'))).toBe(0x4b37);
  });

  test('requests are found however the stream is cut', () => {
    const rtu = [1, 2, 3].flatMap((unit) => [...rtuFrame(unit, request)]);
    const mbap = [1, 2, 3].flatMap((unit) => [0, unit, 0, 0, 0, 6, unit, ...request]);
    for (const [bytes, make] of [
      [rtu, rtuFramer],
      [mbap, mbapFramer],
    ] as const) {
      void fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 20 }), (sizes) => {
          const framer = make();
          const units: number[] = [];
          let at = 0;
          for (const size of [...sizes, bytes.length]) {
            for (const { unit, pdu } of framer.push(Uint8Array.from(bytes.slice(at, at + size))) ?? []) {
              expect(pdu).toEqual(request);
              units.push(unit);
            }
            at += size;
          }
          expect(units).toEqual([1, 2, 3]);
        }),
      );
    }
  });

  test('noise and broken frames are dropped at the next silence', () => {
    const framer = rtuFramer();
    const broken = rtuFrame(1, request);
    broken[3] = (broken[3] ?? 0) ^ 1;
    expect(framer.push(broken)).toEqual([]);
    expect(framer.silence()).toEqual([]);
    expect(framer.push(rtuFrame(1, request))).toHaveLength(1);
  });

  test('a bogus MBAP header closes the connection', async () => {
    expect(mbapFramer().push(Uint8Array.of(0, 1, 0, 9, 0, 6, 1))).toBeNull();
    expect(mbapFramer().push(Uint8Array.of(0, 1, 0, 0, 0xff, 6, 1))).toBeNull();
    const { port } = await serve('tcp');
    const socket = new Socket();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.connect(port, '127.0.0.1', () => socket.write(Uint8Array.of(0, 1, 0, 9, 0, 6, 1)));
    await closed;
  });

  test('no request makes a unit throw', () => {
    const { unit } = meter('eastron-sdm630');
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (pdu) => {
        const reply = answerPdu(unit, pdu);
        expect(reply.length).toBeGreaterThanOrEqual(2);
      }),
    );
  });
});

test('a poll fits before each boundary up to the highest speed', () => {
  expect(boundaryLeadMs(1)).toBe(5_000);
  expect(boundaryLeadMs(60)).toBe(30_000);
  expect(highestSpeed()).toBe(200);
  for (let speed = 1; speed <= highestSpeed(); speed++) {
    const lead = boundaryLeadMs(speed);
    expect(lead).toBeLessThan(60_000);
    expect(lead / speed).toBeGreaterThanOrEqual(290);
  }
  expect(boundaryLeadMs(highestSpeed() + 1) / (highestSpeed() + 1)).toBeLessThan(290);
});

describe('faults over Modbus TCP', () => {
  const ask = (id: number, address: number) => Buffer.of(0, id, 0, 0, 0, 6, 1, 4, 0, address, 0, 2);
  async function raw(converter: boolean) {
    const one = { ...simulateMeter({ profile: 'eastron-sdm630', unit: 1, turnaroundMs: 0 }), settings: null };
    const server = new ModbusServer('tcp', [one], { converter });
    const port = await server.listen('127.0.0.1', 0);
    cleanups.push(() => server.close());
    const socket = new Socket().connect(port, '127.0.0.1');
    cleanups.push(() => socket.destroy());
    let got = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
    });
    const until = async (length: number) => {
      await expect.poll(() => got.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(length);
      const bytes = got;
      got = Buffer.alloc(0);
      return bytes;
    };
    return { meter: one, server, socket, until };
  }
  const ANSWER = 13;

  test('a glued answer keeps the transaction of its own request', async () => {
    const { meter, socket, until } = await raw(false);
    meter.faults.next('glue');
    socket.write(ask(7, 72));
    const first = await until(ANSWER);
    socket.write(ask(8, 70));
    const both = await until(2 * ANSWER);
    const frames = [both.subarray(0, ANSWER), both.subarray(ANSWER)].sort((a, b) => (a[1] ?? 0) - (b[1] ?? 0));
    expect(frames[0]).toEqual(first);
    expect(frames[1]?.[1]).toBe(8);
  });

  test('a converter gives a late answer the transaction of the newest request', async () => {
    const { meter, server, socket, until } = await raw(true);
    socket.write(ask(6, 72));
    const energy = await until(ANSWER);
    meter.faults.next('late', 100);
    socket.write(ask(7, 72));
    await expect.poll(() => server.answered, { timeout: 5_000 }).toBe(2);
    meter.faults.next('drop');
    socket.write(ask(8, 70));
    const wrong = await until(ANSWER);
    expect(wrong[1]).toBe(8);
    expect(wrong.subarray(7)).toEqual(energy.subarray(7));
  });

  test('a truncated answer ends the connection', async () => {
    const { meter, socket } = await raw(false);
    meter.faults.next('truncate');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(ask(7, 72));
    await closed;
    expect(socket.destroyed).toBe(true);
  });
});
