// Makes data/default-profiles.csv from data/home-12.csv: three different stretches of one real home's year stand for
// three homes, with the panels scaled. All are given the time axis of the first, moved by whole weeks.
//   node simulators/scripts/make-default-profiles.mjs [--check]
import { readFileSync, writeFileSync } from 'node:fs';

const unknown = process.argv.slice(2).find((given) => given !== '--check');
if (unknown !== undefined) {
  process.stderr.write(`make-default-profiles.mjs: unknown argument "${unknown}"; it takes --check alone\n`);
  process.exit(2);
}

const DAYS = 28;
const homes = [
  { home: 'home-1', from: '2011-10-06T07:30:00+10:00', panels: 4 },
  { home: 'home-2', from: '2011-09-01T07:30:00+10:00', panels: 4 },
  { home: 'home-3', from: '2012-02-16T07:30:00+10:00', panels: 5 },
];

const file = (name) => new URL(`../data/${name}`, import.meta.url);
const rows = readFileSync(file('home-12.csv'), 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split(','));
const starts = homes.map(({ from }) => rows.findIndex(([time]) => time === from));
const lines = ['home,time,consumption_wh,production_wh'];
for (let i = 0; i < DAYS * 48; i++) {
  const [time] = rows[starts[0] + i];
  for (const [n, { home, panels }] of homes.entries()) {
    const [, consumption, production] = rows[starts[n] + i];
    lines.push(`${home},${time},${consumption},${Number(production) * panels}`);
  }
}
const text = `${lines.join('\n')}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(file('default-profiles.csv'), 'utf8') !== text)
    throw new Error('default-profiles.csv is not what this script makes');
} else writeFileSync(file('default-profiles.csv'), text);
