import { sleep } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node';
import type { Finding } from '../domain/doctor/diagnose.js';
import { ReadError, ReadFailure } from '../domain/ports.js';
import type { BusConfig, GatewayConfig } from '../wiring/config.js';
import { closeBuses, lineOf, openBuses } from '../wiring/readers.js';

/** Bounds the wait for a line that only listens after it was opened, ms. */
const MAX_REST_MS = 60_000;
const LOOK_MS = 500;

/** Dates what the doctor reads; nothing of it is signed. */
const readingClock = {
  nowMs: () => systemClock.nowMs(),
  steadyMs: () => systemClock.monotonicMs(),
  uncertaintyMs: () => null,
};

/** Reads SunSpec devices of a bus once, as \`run\` does. Never rejects for faults of the line. */
export async function readSunspec(
  config: GatewayConfig,
  bus: BusConfig,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Finding[]> {
  if (names.length === 0) return [];
  const buses = openBuses({ ...config, buses: [bus] }, systemClock);
  const findings: Finding[] = [];
  try {
    for (const meter of config.meters.filter(({ name }) => names.includes(name))) {
      if (signal.aborted) break;
      const { reader } = lineOf(config, meter, { buses, readingClock, clock: systemClock });
      const where = `${bus.name}, unit ${meter.unit} (${meter.name})`;
      const problem = await readOnce(() => reader.read(), signal);
      if (problem !== null) findings.push({ level: 'problem', where, text: problem });
      for (const text of reader.notes()) findings.push({ level: 'note', where, text });
    }
  } finally {
    await closeBuses(buses);
  }
  return findings;
}

/** Returns the fault of a read in words; null when the read gave a value. Waits while the line only listens. */
async function readOnce(read: () => Promise<unknown>, signal: AbortSignal): Promise<string | null> {
  for (let restedMs = 0; ; restedMs += LOOK_MS) {
    try {
      await read();
      return null;
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      const mayRest = error.failure === ReadFailure.resting && restedMs < MAX_REST_MS && !signal.aborted;
      if (!mayRest) return error.message;
      await sleep(systemClock, LOOK_MS);
    }
  }
}
