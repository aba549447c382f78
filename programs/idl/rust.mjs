// Reads the parts of the IDL that the Rust sources state: the errors, and the meaning of layout fields that the specification
// omits.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const common = join(dirname(fileURLToPath(import.meta.url)), '../common/src');
const read = (file) => readFileSync(join(common, file), 'utf8');

/** Returns the errors of the Rust table: one list for all programs. */
export function errors() {
  const rows = read('errors.rs').matchAll(/^ {4}(\w+) = (\d+), "([^"]+)";$/gm);
  return [...rows].map(([, name, code, msg]) => ({ code: Number(code), name, msg }));
}

/** Returns the doc comments of the layouts by struct and field. */
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
