import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCampaign } from './catalogue.js';
import { parseOptions } from './runner/options.js';
import { runCampaign, runControl } from './runner/run.js';

const options = parseOptions(process.argv.slice(2));
const root = resolve(process.env.GTX_ROOT ?? resolve(dirname(fileURLToPath(import.meta.url)), '../../..'));
const campaign = await loadCampaign(options.name).catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
const stops: (() => void)[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stops.forEach((stop) => void stop()));
const around = {
  root,
  say: (line: string) => void process.stdout.write(`${line}\n`),
  onStop: (stop: () => void) => void stops.push(stop),
};
const run = options.control === null ? runCampaign : runControl;
process.exitCode = await run(campaign, options, around);
