// Makes edge/profiles/sunspec.json from the JSON models in the PyPI package pysunspec2 (Apache-2.0):
//   pip download --no-deps pysunspec2==1.3.7, unpack the wheel, then
//   node tools/sunspec-models.mjs DIR     DIR = its folder sunspec2/models/json
// Only the points that the gateway reads are kept, each as [offset, type, scale factor or null, mandatory].
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stop } from './script.mjs';

const VERSION = '1.3.7';
const MODELS = [1, 101, 102, 103, 111, 112, 113, 160, 201, 202, 203, 204, 211, 212, 213, 214, 701];
const POINTS = new Set([
  ...['Mn', 'Md', 'Vr', 'SN'],
  ...[
    'PhVphB',
    'PhVphC',
    'VL2',
    'VL3',
    'AphA',
    'AphB',
    'AphC',
    'AL1',
    'AL2',
    'AL3',
    'VAr',
    'VAR',
    'Var',
    'PF',
    'TmpCab',
  ],
  ...['TotVarhInj', 'TotVarhAbs'],
  ...['W', 'Hz', 'PhVphA', 'VL1', 'WH', 'TotWhImp', 'TotWhExp', 'TotWhInj', 'TotWhAbs'],
]);
const REPEATED_POINTS = new Set(['DCW', 'DCWH']);

/**
 * Returns points with their offset in registers from the group's start; also keeps the scale factors that they name.
 */
function compact(points, wanted) {
  const all = {};
  let offset = 0;
  for (const point of points) {
    all[point.name] = [offset, point.type, point.sf ?? null, point.mandatory === 'M', point.size];
    offset += point.size;
  }
  const kept = Object.entries(all).filter(([name]) => wanted.has(name));
  const factors = new Set(kept.map(([, [, , factor]]) => factor).filter((factor) => factor && all[factor]));
  const named = Object.entries(all).filter(([name]) => wanted.has(name) || factors.has(name));
  return { size: offset, points: Object.fromEntries(named.sort(([, a], [, b]) => a[0] - b[0])) };
}

function modelOf(directory, id) {
  const { group } = JSON.parse(readFileSync(join(directory, `model_${id}.json`), 'utf8'));
  const [repeated, ...more] = group.groups ?? [];
  if (more.length > 0) throw new Error(`model ${id} has more than one repeating group`);
  const inner = repeated ? compact(repeated.points, REPEATED_POINTS) : null;
  // A repeating group may use scale factors of the fixed part.
  const factors = inner ? Object.values(inner.points).map(([, , factor]) => factor) : [];
  const { size, points } = compact(group.points, new Set([...POINTS, ...factors]));
  return { label: group.label, size, points, ...(inner ? { repeating: { name: repeated.name, ...inner } } : {}) };
}

const [directory] = process.argv.slice(2);
if (!directory || directory.startsWith('-')) {
  stop('usage: node tools/sunspec-models.mjs DIR   (DIR: sunspec2/models/json of pysunspec2)');
}
if (!existsSync(join(directory, `model_${MODELS[0]}.json`))) {
  stop(`${directory}: holds no model_${MODELS[0]}.json; give the folder sunspec2/models/json of pysunspec2`);
}
const models = MODELS.map((id) => [String(id), modelOf(directory, id)]);
const head = {
  source: `SunSpec models from PyPI pysunspec2 ${VERSION}, SunSpec Alliance`,
  licence: 'Apache-2.0; changed: only some points, in another form (see NOTICE)',
  point: '[offset in registers, type, scale factor, mandatory, size in registers]',
};
const text = JSON.stringify({ ...head, models: Object.fromEntries(models) }, null, 2);
writeFileSync(new URL('../edge/profiles/sunspec.json', import.meta.url), `${text}\n`);
console.log('edge/profiles/sunspec.json is written: format it with Biome.');
