import { expect, test } from 'vitest';
import { jsonLog } from '../../src/node/index.js';

function logged(level: string, details = '', name = 'test') {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = jsonLog(name, { level, details, destination, after: (_ms, task) => timers.push(task) });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, parsed, timers };
}

test('writes JSON lines with the name of the service, bounded by reason', () => {
  const { log, parsed, timers } = logged('info');
  for (let i = 0; i < 30; i++) log.warn({ event: 'refused', i }, 'refused');
  expect(parsed()).toHaveLength(20);
  expect(parsed()[0]).toMatchObject({ name: 'test', level: 40, event: 'refused', i: 0, msg: 'refused' });
  timers[0]?.();
  expect(parsed().at(-1)).toMatchObject({ msg: 'refused: and 10 more', held: 10 });
});

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['error', ['error']],
])('from %s on: %j', (level, expected) => {
  const { log, parsed } = logged(level);
  for (const of of ['debug', 'info', 'warn', 'error'] as const) log[of]({ event: of }, of);
  expect(parsed().map(({ msg }) => msg)).toEqual(expected);
});

test('an unknown level is the operator to mend', () => {
  expect(() => logged('loud')).toThrow('GTX_LOG_LEVEL: there is no level "loud"; give debug, info, warn, error');
});

test('details of one meter, bus, gateway or oracle are written beside the level', () => {
  const { log, parsed } = logged('warn', 'meter=home-1, bus=cellar');
  log.debug({ event: 'a', meter: 'home-1' }, 'of the meter');
  log.debug({ event: 'b', bus: 'cellar', unit: 7 }, 'of the bus');
  log.debug({ event: 'c', meter: 'home-2' }, 'of another meter');
  log.info({ event: 'd', meter: 'home-1' }, 'below the level');
  expect(parsed().map(({ event }) => event)).toEqual(['a', 'b']);
});

test.each(['meter', 'meter=', 'zone=3', '=home-1'])('details that choose nothing are refused: %s', (details) => {
  expect(() => logged('info', details)).toThrow(`GTX_LOG_DEBUG: "${details}" chooses nothing; give bus=NAME`);
});

test('a gateway that is chosen shows all its details, and no other does', () => {
  const shown = ['gateway home-1', 'gateway home-12'].map((name) => {
    const { log, parsed } = logged('info', 'gateway=home-1', name);
    log.debug({ event: 'a', bus: 'cellar' }, 'of a bus');
    return parsed().length;
  });
  expect(shown).toEqual([1, 0]);
});
