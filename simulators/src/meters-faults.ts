import { HttpProblem, type HttpRoute } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import { ANSWER_FAULTS } from './line/faults.js';
import type { BuiltMeter } from './meters-build.js';

const MAX_BYTES = 4_096;
const MAX_TIMES = 10_000;
const ms = z.number().min(0).max(3_600_000);

/** Requests to a running meter. */
const askedSchema = z.union(
  [
    z.strictObject({
      home: z.string(),
      fault: z.enum(ANSWER_FAULTS),
      /** Begin of a late answer or a copy, from the request on, ms. */
      at_ms: ms.optional(),
      /** Number of answers with this fault, from the next answer on. */
      times: z.int().min(1).max(MAX_TIMES).default(1),
    }),
    z.strictObject({ home: z.string(), restart_ms: ms, loses_wh: z.int().min(0).max(1_000_000).default(0) }),
    z.strictObject({ home: z.string(), frozen: z.boolean() }),
  ],
  { error: `expected home, with fault (${ANSWER_FAULTS.join(', ')}), restart_ms or frozen` },
);

/** Applies a request for a fault. Returns the fault of the request in words; null when it was applied. */
export function applyFault(meters: readonly BuiltMeter[], text: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'expected JSON';
  }
  const parsed = askedSchema.safeParse(value);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'not valid';
  const asked = parsed.data;
  const built = meters.find(({ home }) => home === asked.home);
  if (!built) return `no home "${asked.home}"; there is: ${meters.map(({ home }) => home).join(', ')}`;
  if ('fault' in asked) {
    for (let i = 0; i < asked.times; i++) built.line.faults.next(asked.fault, asked.at_ms ?? null);
  } else if ('frozen' in asked) built.upsets.freeze(asked.frozen);
  else built.upsets.restart(asked.restart_ms, BigInt(asked.loses_wh));
  return null;
}

/** Answers `POST /faults`: 204, or 400 with the reason. */
export function faultsRoute(meters: readonly BuiltMeter[]): HttpRoute {
  return {
    methods: ['POST'],
    answer: async (request) => {
      const fault = applyFault(meters, Buffer.from(await request.body(MAX_BYTES)).toString('utf8'));
      if (fault !== null) throw new HttpProblem(400, fault);
      return { status: 204, headers: {}, body: '' };
    },
  };
}
