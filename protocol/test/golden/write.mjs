// Writes the missing vectors: node protocol/test/golden/write.mjs [--replace NAME]. A changed byte in an existing file changes
// the wire format. It needs --replace and a change of docs/specs/wire-format.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

// Sources import their neighbours as .js, their names after stripping. Here they run unstripped.
registerHooks({
  resolve(specifier, context, next) {
    const own = specifier.startsWith('.') && /\.ts$|write\.mjs$/.test(context.parentURL ?? '');
    return next(own ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});

const { fileText, goldenFiles } = await import('./generate.ts');
const { extraVerifyCases } = await import('./verify.ts');
const folder = new URL('../../vectors/', import.meta.url);
const replace = process.argv[process.argv.indexOf('--replace') + 1];

const verify = JSON.parse(readFileSync(new URL('verify.json', folder), 'utf8'));
const known = new Set(verify.cases.map((entry) => entry.name));
const added = extraVerifyCases().filter((entry) => !known.has(entry.name));
if (added.length > 0) {
  writeFileSync(new URL('verify.json', folder), fileText({ ...verify, cases: [...verify.cases, ...added] }));
  console.log(`verify.json: ${added.length} cases added`);
}
for (const [name, content] of Object.entries(goldenFiles())) {
  const url = new URL(name, folder);
  if (existsSync(url) && name !== replace) continue;
  writeFileSync(url, fileText(content));
  console.log(`${name} written`);
}
