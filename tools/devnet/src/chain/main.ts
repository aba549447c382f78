#!/usr/bin/env node
// Imports nothing else before this check of Node's version: an older Node would end with a stack trace.
import { whyNodeIsTooOld } from '@gridtokenx/runtime/core';

const tooOld = whyNodeIsTooOld('gridtokenx-chain', process.versions.node);
if (tooOld !== null) {
  process.stderr.write(`${tooOld}\n`);
  process.exit(2);
}
const { main } = await import('./cli.js');
await main();
