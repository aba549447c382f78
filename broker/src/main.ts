#!/usr/bin/env node
// Imports nothing else before it knows that this Node can load the rest: an older Node would end with a stack.
import { whyNodeIsTooOld } from '@gridtokenx/runtime/core';

const tooOld = whyNodeIsTooOld('gridtokenx-broker', process.versions.node);
if (tooOld !== null) {
  process.stderr.write(`${tooOld}\n`);
  process.exit(2);
}
const { main } = await import('./cli.js');
await main();
