import { EventCode, Kind, type Payload, Quality, windowOf } from '@gridtokenx/protocol';
import { MINUTE, type Registers, START, setUp } from './meter-polls.js';

export { MINUTE, type Registers, START };

/**
 * Plays a meter for some minutes; `shows` returns what the meter shows at a time, or throws `ReadError`. `enrolledWh`:
 * import register of its enrolment, Wh.
 */
export async function playMeter(shows: (minute: number) => Registers, minutes: number, enrolledWh = 0) {
  const run = await setUp((nowMs) => shows((nowMs - START) / MINUTE), 1, undefined, {
    enrolledWh: BigInt(enrolledWh),
  });
  await run.time.advance(minutes * MINUTE);
  const readings = run.of(Kind.reading);
  return {
    ...run,
    /** Minutes and import of each signed reading. */
    signed: readings.map(({ timeMs, importWh }) => [(Number(timeMs) - START) / MINUTE, Number(importWh)] as const),
    windows: run.of(Kind.statement).map(({ window }) => window - windowOf(START)),
    notices: run.of(Kind.event).flatMap((event) => (isRegisters(event) ? [event.detail] : [])),
    hasDiscontinuity: readings.some(({ quality }) => (quality & Quality.discontinuity) !== 0),
  };
}

const isRegisters = (event: Extract<Payload, { kind: 3 }>) => event.code === EventCode.registerDiscontinuity;
