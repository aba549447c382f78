import { instructions, programIds } from '@gridtokenx/chain-client';
import { test } from 'vitest';
import { unitsOf } from './src/harness.js';
import { START, windowAt, World } from './src/world.js';
test('cu', () => {
  const world = new World().setUp();
  world.addMeters(256);
  const page = { zone: 7, page: 0 };
  console.log('activate again', unitsOf(world.chain.must([instructions.activateSlot({ meterId: world.meter('1').id, ...page })]), programIds.oracle));
  world.chain.time = START + 90_000;
  let w = windowAt(START) + 1;
  for (const n of [1,64]) {
    const read = world.meterPage();
    const totals = new Map(Array.from({ length: n }, (_, s) => [s, { exportWh: (read.slots[s]?.exportWh ?? 0n) + 300n, importWh: (read.slots[s]?.importWh ?? 0n) + 1n }]));
    const o = world.attest({ window: ++w, items: world.items(w, totals) });
    console.log(o.logs.filter(l=>l.includes("remaining")).map(l=>Number(/(\d+) units/.exec(l)?.[1])).reduce((a,v,i,r)=>i?[...a,r[i-1]-v-100]:[v],[]).join(" "));
  }
  for (let i = 0; i < 2; i++) { const m = world.mintPage(); console.log('mint', unitsOf(m, programIds.energyToken), m.logs.filter(l=>/consumed/.test(l))); }
});
