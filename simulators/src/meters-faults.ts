import { HttpProblem, type HttpRoute } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import { ANSWER_FAULTS } from './line/faults.js';
import type { BuiltMeter } from './meters-build.js';

const MAX_BYTES = 4_096;
const MAX_TIMES = 10_000;
const ms = z.number().min(0).max(3_600_000);

/** What can be asked of a running meter. */
const askedSchema = z.union(
  [
    z.strictObject({
      home: z.string(),
      fault: z.enum(ANSWER_FAULTS),
      /** Of a late answer or a copy: its begin, from the request on. */
      at_ms: ms.optional(),
      /** So many answers from the next one on. */
      times: z.int().min(1).max(MAX_TIMES).default(1),
    }),
    z.strictObject({ home: z.string(), restart_ms: ms, loses_wh: z.int().min(0).max(1_000_000).default(0) }),
    z.strictObject({ home: z.string(), frozen: z.boolean() }),
  ],
  { error: `expected home, with fault (${ANSWER_FAULTS.join(', ')}), restart_ms or frozen` },
);

/** Applies a request for a fault; returns what is wrong with it in words, null when it was done. */
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

/** Answers `POST /faults`: 204, or 400 with what is wrong. */
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
