import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import type { ModbusRTU } from 'modbus-serial/ModbusRTU.js';

import { busAt } from '#edge/adapters/modbus/open.js';

import { ReplyQuarantine, USUAL_RULES } from '#edge/domain/bus/reply-quarantine.js';

/** CPU time of reads of at least 80 registers over a serial line at 9,600 baud, for this whole process. */
export interface BusCost {
  /** Milliseconds for each requested read, user and system. */
  readonly cpuMs: number;
  readonly good: number;
  readonly failed: number;
}

const BAUD = 9_600;
const UNIT = 1;
const REGISTERS = 80;
/** Reads before the count begins: until then code compiles and the time-out settles. */
const WARM_UP = 12;
const TIMEOUT_MS = 1_000;
/** Reading a line without a pause needs many lengths: each rests for a time-out after its answer. */
const LENGTHS = 12;

type Read = () => Promise<unknown>;

/** Reads through the gateway's bus. */
function ours(path: string): Read {
  const bus = busAt({
    log: quietLog,
    name: 'line',
    address: { transport: 'serial', path, baud: BAUD, parity: 'none', stopBits: 1 },
    clock: systemClock,
    random: systemRandom,
    requestMs: TIMEOUT_MS,
    connectMs: TIMEOUT_MS,
    quarantine: new ReplyQuarantine(USUAL_RULES),
    timeoutMinMs: 200,
    restMs: 0,
  });
  const variants = Array.from({ length: LENGTHS }, (_, i) => ({ address: 0, count: REGISTERS + i }));
  return () => bus.read(UNIT, 3, variants, { periodMs: 10 * TIMEOUT_MS });
}

/** Reads through modbus-serial as its documentation shows it. */
async function plain(path: string): Promise<Read> {
  const library = createRequire(import.meta.url)('modbus-serial') as new () => ModbusRTU;
  const client = new library();
  await client.connectRTUBuffered(path, { baudRate: BAUD });
  client.setID(UNIT);
  client.setTimeout(TIMEOUT_MS);
  return () => client.readHoldingRegisters(0, REGISTERS);
}

async function measure(read: Read, reads: number): Promise<BusCost> {
  const counts = { good: 0, failed: 0 };
  const once = () =>
    read().then(
      () => counts.good++,
      () => counts.failed++,
    );
  for (let i = 0; i < WARM_UP; i++) await once();
  counts.good = 0;
  counts.failed = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < reads; i++) await once();
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1_000 / reads, ...counts };
}

async function main([which, path = '', reads]: readonly string[]): Promise<void> {
  const read = which === 'plain' ? await plain(path) : ours(path);
  process.send?.(await measure(read, Number(reads)));
  process.exit();
}

// Each variant has its own process, so that its CPU time covers nothing but the reads.
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2));
