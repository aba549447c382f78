import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Random } from '@gridtokenx/testing-kit/random';
import type { BusAddress } from '#edge/adapters/modbus/open.js';
import type { Outcome } from '../../campaign.js';
import { REQUEST_MS } from '../real/gateway.js';
import { openLine } from '../real/lines.js';
import { constantRegisters, constantWord, disturbedMeter } from '../real/meters.js';
import { COPY_TIMEOUTS, LATE_TIMEOUTS, REAL_RATES } from '../real/play.js';
import { peerProgram } from './installed.js';

const SETTINGS = { baud: 115_200, parity: 'none', stopBits: 1 } as const;
/** Registers that Telegraf reads one by one, as its own configuration does where gaps separate them. */
const ADDRESSES = [0, 12, 52, 70, 72, 74] as const;
const UNIT = 1;

/**
 * Reads one meter with the same faults by Telegraf for `seconds`: counts published values that belong to another
 * register.
 */
export async function playTelegraf(
  kind: 'pty' | 'rtu-over-tcp' | 'tcp',
  seed: number,
  seconds: number,
): Promise<Outcome> {
  const program = peerProgram('telegraf');
  const row = `telegraf, ${kind}, 1 meter`;
  if (!program) return { faults: [], figures: { [`${row}: skipped`]: 1 } };
  const random = new Random(seed, `misattribution/${row}`);
  const meter = disturbedMeter(UNIT, constantRegisters(UNIT), kind === 'pty' ? SETTINGS : null, {
    random,
    rates: REAL_RATES,
    waitMs: () => REQUEST_MS,
    lateTimeouts: LATE_TIMEOUTS,
    copyTimeouts: COPY_TIMEOUTS,
  });
  const line = await openLine(kind, [meter]);
  const folder = mkdtempSync(join(tmpdir(), 'gtx-telegraf-'));
  const config = join(folder, 'telegraf.conf');
  writeFileSync(config, telegrafConfig(line.address));
  const figures: Record<string, number> = {};
  const count = (what: string) => {
    figures[`${row}: ${what}`] = (figures[`${row}: ${what}`] ?? 0) + 1;
  };
  // Telegraf ends by itself even when this process is gone.
  const child = spawn('timeout', ['-k', '5', String(seconds), program, '--config', config, '--quiet'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  createInterface(child.stdout).on('line', (text) => {
    for (const [name, value] of fieldsOf(text))
      count(value === constantWord(UNIT, Number(name.slice(1))) ? 'good' : 'wrong');
  });
  await new Promise<void>((resolve, reject) => {
    child.once('close', () => resolve());
    child.once('error', reject);
  });
  figures[`${row}: requests`] = line.line.answered;
  await line.close();
  rmSync(folder, { recursive: true });
  return { faults: figures[`${row}: good`] ? [] : [`${row}: nothing was read`], figures };
}

/** Returns the fields `rADDRESS` of a line of its JSON output. */
function fieldsOf(text: string): [string, number][] {
  try {
    const { fields } = JSON.parse(text) as { fields?: Record<string, number> };
    return Object.entries(fields ?? {}).filter(([name]) => /^r\d+$/.test(name));
  } catch {
    return [];
  }
}

function telegrafConfig(address: BusAddress): string {
  const controller =
    address.transport === 'serial'
      ? `controller = "file://${address.path}"\n  baud_rate = ${address.baud}\n  data_bits = 8\n  parity = "N"\n  stop_bits = 1\n  transmission_mode = "RTU"`
      : `controller = "tcp://${address.host}:${address.port}"\n  transmission_mode = "${address.transport === 'tcp' ? 'TCP' : 'RTUoverTCP'}"`;
  const fields = ADDRESSES.map((at) => `    { address = ${at}, name = "r${at}", type = "UINT16" },`).join('\n');
  return `[agent]
  interval = "200ms"
  flush_interval = "200ms"
  omit_hostname = true
[[inputs.modbus]]
  name = "meter"
  timeout = "${REQUEST_MS}ms"
  ${controller}
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = ${UNIT}
    byte_order = "ABCD"
    register = "input"
    fields = [
${fields}
    ]
[[outputs.file]]
  files = ["stdout"]
  data_format = "json"
`;
}
