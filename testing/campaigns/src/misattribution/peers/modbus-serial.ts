import { createRequire } from 'node:module';
import { Random } from '@gridtokenx/testing-kit/random';
import type { ModbusRTU } from 'modbus-serial/ModbusRTU.js';
import type { BusAddress } from '#edge/adapters/modbus/open.js';
import type { Outcome } from '../../campaign.js';
import { REQUEST_MS } from '../real/gateway.js';
import { openLine } from '../real/lines.js';
import { disturbedMeter, TellTaleRegisters } from '../real/meters.js';
import { COPY_TIMEOUTS, LATE_TIMEOUTS, REAL_RATES } from '../real/play.js';

const Library = createRequire(import.meta.url)('modbus-serial') as new () => ModbusRTU;

/** Kind of line on which the library is used. */
export type LibraryLine = 'pty' | 'rtu-over-tcp' | 'tcp';

const SETTINGS = { baud: 115_200, parity: 'none', stopBits: 1 } as const;
/** Addresses of values of two registers, read one after the other as agents do. */
const ADDRESSES = [72, 74, 52, 0, 70] as const;
const REGISTERS = 2;
const FRAME_CHARS = 13 + 2 * REGISTERS;
/** A promise that has not settled by then never will. */
const HUNG_MS = 50 * REQUEST_MS;

export interface LibraryOptions {
  readonly kind: LibraryLine;
  readonly meters: 1 | 3;
  readonly reads: number;
}

/**
 * Reads the same meters with the same faults by unchanged modbus-serial: counts values that belong to another register.
 */
export async function playLibrary(seed: number, { kind, meters: count, reads }: LibraryOptions): Promise<Outcome> {
  const random = new Random(seed, `misattribution/modbus-serial/${kind}`);
  const units = Array.from({ length: count }, (_, i) => i + 1);
  const settings = kind === 'pty' ? SETTINGS : null;
  const waitMs = REQUEST_MS + (settings ? (FRAME_CHARS * 10_000) / settings.baud : 0);
  const registers = new TellTaleRegisters();
  const meters = units.map((unit) =>
    disturbedMeter(unit, registers.unit(unit), settings, {
      random,
      rates: REAL_RATES,
      waitMs: () => waitMs,
      lateTimeouts: LATE_TIMEOUTS,
      copyTimeouts: COPY_TIMEOUTS,
    }),
  );
  const line = await openLine(kind, meters);
  const counts = { good: 0, wrong: 0, failed: 0, hung: 0 };
  let client = await connect(line.address);
  try {
    for (let i = 0; i < reads; i++) {
      const unit = units[i % units.length] as number;
      const address = ADDRESSES[Math.floor(i / units.length) % ADDRESSES.length] as number;
      const what = await readOnce(client, unit, address, registers);
      counts[what]++;
      if (what === 'hung' || !client.isOpen) {
        await close(client);
        client = await connect(line.address);
      }
    }
  } finally {
    await close(client);
    await line.close();
  }
  const row = `modbus-serial, ${kind}, ${count} meter${count > 1 ? 's' : ''}`;
  const figures = Object.fromEntries(Object.entries(counts).map(([name, value]) => [`${row}: ${name}`, value]));
  // A comparison is no fault of ours; a comparison without any value is.
  return { faults: counts.good === 0 ? [`${row}: nothing was read`] : [], figures };
}

async function readOnce(
  client: ModbusRTU,
  unit: number,
  address: number,
  registers: TellTaleRegisters,
): Promise<'good' | 'wrong' | 'failed' | 'hung'> {
  client.setID(unit);
  const read = client.readInputRegisters(address, REGISTERS).then(
    ({ buffer }) => (registers.isTruth(buffer) ? 'good' : 'wrong'),
    () => 'failed' as const,
  );
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<'hung'>((resolve) => {
    timer = setTimeout(resolve, HUNG_MS, 'hung');
  });
  return Promise.race([read, hung]).finally(() => clearTimeout(timer));
}

async function connect(address: BusAddress): Promise<ModbusRTU> {
  const client = new Library();
  client.on('error', () => {});
  if (address.transport === 'serial') await client.connectRTUBuffered(address.path, { baudRate: address.baud });
  else if (address.transport === 'tcp') await client.connectTCP(address.host, { port: address.port });
  // The library's name for RTU frames on a network.
  else await client.connectTelnet(address.host, { port: address.port });
  client.setTimeout(REQUEST_MS);
  return client;
}

const close = (client: ModbusRTU) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, REQUEST_MS);
    client.close(() => resolve());
  });
