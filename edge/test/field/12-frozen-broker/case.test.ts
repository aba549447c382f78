/**
 * Plays a broker that freezes for 124 s without a FIN: it takes packets and answers none.
 * Reported for 21cncstudio/project_aura #125.
 */
import { parseSign1 } from '@gridtokenx/protocol';
import { expect, test } from 'vitest';
import { headOf } from '../../../src/domain/signed-message.js';
import { setUp } from '../../support/uplink-run.js';

const MESSAGE_BYTES = 171;

test('readings of the time reach the next session, each once, in their order', async () => {
  const run = await setUp(false);
  run.uplink.release();
  for (let seq = 1n; seq <= 12n; seq++) {
    await run.write(seq);
    await run.time.advance(10_000);
  }
  // The gateway has dropped silent sessions meanwhile: nobody waits for 124 s.
  expect(run.sessions.length).toBeGreaterThan(2);
  expect(run.sessions.slice(0, -1).every(({ aborted }) => aborted)).toBe(true);
  run.state.autoPuback = true;
  await run.time.advance(60_000);
  const last = run.sessions.at(-1);
  const seqs = (last?.published ?? [])
    .filter(({ topic }) => topic.endsWith('/backfill'))
    .flatMap(({ payload }) =>
      Array.from({ length: payload.length / MESSAGE_BYTES }, (_, i) =>
        Number(headOf(parseSign1(payload.subarray(i * MESSAGE_BYTES, (i + 1) * MESSAGE_BYTES)).payload).seq),
      ),
    );
  const firstRound = seqs.slice(0, 12);
  expect(firstRound).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  expect(run.uplink.problem).toBeNull();
  await run.end();
});
