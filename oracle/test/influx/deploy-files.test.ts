import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = new URL('../../../deploy/influx/', import.meta.url).pathname;
const flux = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('the files', () => {
  it('have the same rules for early and late readings', () => {
    const rules = (text: string) => text.slice(text.indexOf('raw = '));
    expect(rules(flux('tasks/quarter-hours-late.flux'))).toBe(rules(flux('tasks/quarter-hours.flux')));
    expect(rules(flux('tasks/quarter-hours.flux')).length).toBeGreaterThan(500);
  });
});
