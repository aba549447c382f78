import { expect, it } from 'vitest';
import { ACCEPTED, LINKED_KINDS, NOT_REFUSED, WAITS_FOR_REGISTRY } from '../../src/adapters/sqlite/codes.js';
import { ledgerMigrations } from '../../src/adapters/sqlite/schema.js';

// SQLite uses a partial index only for a condition that it sees to be the same.
it.each([
  ['accepted', `verdict IN ${ACCEPTED}`],
  ['not refused', `verdict NOT IN ${NOT_REFUSED}`],
  ['waiting for the registry', `verdict IN ${WAITS_FOR_REGISTRY}`],
])('the list of %s verdicts is that of its index', (_name, condition) => {
  const indexes = ledgerMigrations.flatMap(({ sql }) => sql.split(';')).filter((sql) => /CREATE INDEX/.test(sql));
  expect(indexes.filter((sql) => sql.includes(condition))).toHaveLength(1);
});

it('links are readings and events', () => expect(LINKED_KINDS).toBe('(1, 3)'));
