// Writes registry.json, oracle.json and energy_token.json (Anchor IDL 0.1.0) from spec.mjs, ids.json and the Rust sources. From
// these IDLs it writes the TypeScript accounts, instructions and errors in ../clients/src/generated.
// `node generate.mjs --check` writes nothing. It exits 1 when a committed file differs from its sources, is missing or is
// stray.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errors, layoutDocs } from './rust.mjs';
import { programs } from './spec.mjs';
import { typescript } from './typescript.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const generated = join(here, '../clients/src/generated');
const ids = JSON.parse(readFileSync(join(here, '../ids.json'), 'utf8'));
const discriminator = (name) => [...createHash('sha256').update(name).digest().subarray(0, 8)];

const SIZES = { u8: 1, bool: 1, u16: 2, u32: 4, u64: 8, pubkey: 32 };

/** Returns the bytes of a fixed-size type; undefined where the size varies. */
function sizeOf(type, types) {
  if (typeof type === 'string') return SIZES[type];
  if (Array.isArray(type)) return sizeOf(type[0], types) * type[1];
  if (type.defined) return types[type.defined.name].reduce((sum, [, inner]) => sum + sizeOf(inner, types), 0);
  return undefined;
}

const idlType = (type) => (Array.isArray(type) ? { array: [type[0], type[1]] } : type);
const docs = (text) => (text ? { docs: [text] } : {});

function fields(list, types, start, meaning = {}) {
  let offset = start;
  return list.map(([name, type, doc = meaning[name]]) => {
    const at = offset === undefined ? undefined : `Byte ${offset}.`;
    const size = sizeOf(type, types);
    offset = offset === undefined || size === undefined ? undefined : offset + size;
    return { name, ...docs([at, doc].filter(Boolean).join(' ')), type: idlType(type) };
  });
}

function account(entry) {
  const { name, writable, signer, optional, address, doc } = entry;
  return { name, ...docs(doc), ...(writable && { writable }), ...(signer && { signer }), ...(optional && { optional }), ...(address && { address }) };
}

export function buildIdl(program) {
  const { id, name, description, instructions, accounts, events, types = {} } = program;
  const meaning = layoutDocs();
  const struct = (typeName, list, start, zeroCopy) => ({
    name: typeName,
    ...(zeroCopy && { serialization: 'bytemuck', repr: { kind: 'c' } }),
    type: { kind: 'struct', fields: fields(list, types, start, zeroCopy ? meaning[typeName] : {}) },
  });
  return {
    address: ids[id],
    metadata: { name, version: '0.1.0', spec: '0.1.0', description },
    instructions: instructions.map((item) => ({
      name: item.name,
      docs: [item.doc],
      discriminator: discriminator(`global:${item.name}`),
      accounts: item.accounts.map(account),
      args: fields(item.args, types, undefined),
    })),
    accounts: Object.keys(accounts).map((item) => ({ name: item, discriminator: discriminator(`account:${item}`) })),
    events: Object.keys(events).map((item) => ({ name: item, discriminator: discriminator(`event:${item}`) })),
    errors: errors(),
    types: [
      ...Object.entries(accounts).map(([item, list]) => struct(item, list, 8, true)),
      ...Object.entries(types).map(([item, list]) => struct(item, list, 0, true)),
      ...Object.entries(events).map(([item, list]) => struct(item, list, undefined, false)),
    ],
  };
}

/** Returns the size of an account in bytes, with its discriminator. */
export function accountSize(program, name) {
  const { accounts, types = {} } = program;
  return 8 + accounts[name].reduce((sum, [, type]) => sum + sizeOf(type, types), 0);
}

/** Returns every generated file with its text, by absolute path. */
export function generatedFiles() {
  const files = new Map();
  const idls = Object.entries(programs).map(([file, program]) => ({ file, key: program.id, idl: buildIdl(program) }));
  for (const { file, idl } of idls) files.set(join(here, `${file}.json`), `${JSON.stringify(idl, null, 2)}\n`);
  for (const [path, text] of typescript(idls)) files.set(join(generated, path), text);
  return files;
}

/** Returns the differences between the files and their sources, one file a line. */
export function differences(files = generatedFiles()) {
  const found = [];
  for (const [path, text] of files) {
    if (!existsSync(path)) found.push(`${relative(here, path)} is missing`);
    else if (readFileSync(path, 'utf8') !== text) found.push(`${relative(here, path)} differs from its source`);
  }
  const present = readdirSync(generated, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of present) {
    const path = join(entry.parentPath, entry.name);
    if (!files.has(path)) found.push(`${relative(here, path)} has no source`);
  }
  return found;
}

function write(files) {
  rmSync(generated, { recursive: true, force: true });
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const found = differences();
    for (const line of found) console.error(`${line}: run node programs/idl/generate.mjs`);
    process.exitCode = found.length > 0 ? 1 : 0;
  } else write(generatedFiles());
}
