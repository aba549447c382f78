// What the IDL takes from the Rust sources: the table of errors, and what layout fields mean where the specification says no more.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const common = join(dirname(fileURLToPath(import.meta.url)), '../common/src');
const read = (file) => readFileSync(join(common, file), 'utf8');

/** Errors as the Rust table has them: one list for all programs. */
export function errors() {
  const rows = read('errors.rs').matchAll(/^ {4}(\w+) = (\d+), "([^"]+)";$/gm);
  return [...rows].map(([, name, code, msg]) => ({ code: Number(code), name, msg }));
}

/** Doc comments of the layouts by struct and field. */
export function layoutDocs() {
  const docs = {};
  for (const file of ['registry', 'oracle', 'energy']) {
    for (const [, struct, body] of read(`layout/${file}.rs`).matchAll(/^pub struct (\w+) \{\n(.*?)^\}/gms)) {
      docs[struct] = {};
      for (const [, comment, field] of body.matchAll(/((?: {4}\/\/\/ .*\n)*) {4}pub (\w+):/g)) {
        docs[struct][field] = comment.replace(/\s*\/\/\/ /g, ' ').trim();
      }
    }
  }
  return docs;
}
