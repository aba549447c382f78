import { expect, test } from 'vitest';
import { serviceLog } from '../../src/node/index.js';

function logged(level?: string) {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = serviceLog('test', { level, destination, after: (_ms, task) => timers.push(task) });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, parsed, timers };
}

test('writes JSON lines with the name of the service, bounded by reason', () => {
  const { log, parsed, timers } = logged('info');
  for (let i = 0; i < 30; i++) log.warn({ i }, 'refused');
  expect(parsed()).toHaveLength(20);
  expect(parsed()[0]).toMatchObject({ name: 'test', level: 40, i: 0, msg: 'refused' });
  timers[0]?.();
  expect(parsed().at(-1)).toMatchObject({ msg: 'refused: and 10 more', held: 10 });
});

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['error', ['error']],
])('from %s on: %j', (level, expected) => {
  const { log, parsed } = logged(level);
  for (const of of ['debug', 'info', 'warn', 'error'] as const) log[of]({}, of);
  expect(parsed().map(({ msg }) => msg)).toEqual(expected);
});

test('an unknown level is the operator to mend', () => {
  expect(() => logged('loud')).toThrow('GTX_LOG_LEVEL: there is no level "loud"; give debug, info, warn, error');
});
