import { spawn } from 'node:child_process';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { Random } from '@gridtokenx/testing-kit/random';
import type { BusAddress } from '#edge/adapters/modbus/open.js';
import type { Outcome } from '../../campaign.js';
import { REQUEST_MS, readAsGateway } from '../real/gateway.js';
import { isConstant } from '../real/meters.js';
import { LATE_TIMEOUTS, REAL_RATES } from '../real/play.js';
import { peerProgram, peersFolder } from './installed.js';
import { socatLine } from './socat.js';

const BAUD = 115_200;
const HOST = '127.0.0.1';
const UNITS = [1, 2, 3] as const;

/**
 * Reads third-party meters, on Modbus TCP or on a pty by socat: the gateway must not mistake any of their values for
 * another's.
 */
export async function playPymodbus(kind: 'tcp' | 'pty', seed: number, reads: number): Promise<Outcome> {
  const python = peerProgram('pymodbus');
  const row = `pymodbus, ${kind}`;
  if (!python) return { faults: [], figures: { [`${row}: skipped`]: 1 } };
  const socat = kind === 'pty' ? await socatLine() : null;
  const port = socat ? socat.far : await freePort();
  const address: BusAddress = socat
    ? { transport: 'serial', path: socat.near, baud: BAUD, parity: 'none', stopBits: 1 }
    : { transport: 'tcp', host: HOST, port: port as number, converter: false };
  const meters = await startMeters(python, { port, seed, ...(socat ? { baud: BAUD } : {}) });
  try {
    const { faults, figures } = await readAsGateway({
      row,
      address,
      random: new Random(seed, `misattribution/${row}`),
      units: UNITS,
      reads,
      isRight: isConstant,
      onWait: () => {},
      quarantineInsteadMs: null,
    });
    const made = Object.entries(await meters.stop()).map(([name, value]) => [`${row}: ${name}`, value] as const);
    const own = Object.entries(figures).filter(([name]) => name.startsWith(row));
    const isNothing = !figures[`${row}: good`];
    return {
      faults: isNothing ? [...faults, `${row}: nothing was read`] : faults,
      figures: Object.fromEntries([...own, ...made]),
    };
  } finally {
    await meters.stop();
    await socat?.close();
  }
}

interface Meters {
  /** Ends the meters; returns their counts of answers by kind. */
  stop(): Promise<Record<string, number>>;
}

async function startMeters(python: string, where: object): Promise<Meters> {
  const options = { ...where, rates: REAL_RATES, timeout_ms: REQUEST_MS, late_timeouts: LATE_TIMEOUTS };
  const child = spawn(python, [`${peersFolder}pymodbus_meter.py`, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  let wrong = '';
  child.stderr.on('data', (bytes: Buffer) => {
    wrong += bytes.toString();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.startsWith('ready')) resolve();
    });
    void ended.then(() => reject(new Error(`pymodbus ended: ${wrong.trim().split('\n').at(-1)}`)));
  });
  return {
    async stop() {
      child.stdin.end();
      await ended;
      return JSON.parse(said.trim().split('\n').at(-1) ?? '{}') as Record<string, number>;
    },
  };
}
