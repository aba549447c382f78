// Writes registry.json, oracle.json and energy_token.json (Anchor IDL 0.1.0) from spec.mjs, ids.json and the table of errors in
// common/src/errors.rs.  `node generate.mjs --check` writes nothing and exits 1 when a committed file differs.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programs } from './spec.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const ids = JSON.parse(readFileSync(join(here, '../ids.json'), 'utf8'));
const discriminator = (name) => [...createHash('sha256').update(name).digest().subarray(0, 8)];

/** Errors as the Rust table has them: one list for all programs. */
function errors() {
  const source = readFileSync(join(here, '../common/src/errors.rs'), 'utf8');
  return [...source.matchAll(/^ {4}(\w+) = (\d+), "([^"]+)";$/gm)].map(([, name, code, msg]) => ({ code: Number(code), name, msg }));
}

const SIZES = { u8: 1, bool: 1, u16: 2, u32: 4, u64: 8, pubkey: 32 };

/** Bytes of a fixed-size type; undefined where the size varies. */
function sizeOf(type, types) {
  if (typeof type === 'string') return SIZES[type];
  if (Array.isArray(type)) return sizeOf(type[0], types) * type[1];
  if (type.defined) return types[type.defined.name].reduce((sum, [, inner]) => sum + sizeOf(inner, types), 0);
  return undefined;
}

const idlType = (type) => (Array.isArray(type) ? { array: [type[0], type[1]] } : type);
const docs = (text) => (text ? { docs: [text] } : {});

function fields(list, types, start) {
  let offset = start;
  return list.map(([name, type, doc]) => {
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
  const struct = (typeName, list, start, zeroCopy) => ({
    name: typeName,
    ...(zeroCopy && { serialization: 'bytemuck', repr: { kind: 'c' } }),
    type: { kind: 'struct', fields: fields(list, types, start) },
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

/** Size of an account in bytes with its discriminator. */
export function accountSize(program, name) {
  const { accounts, types = {} } = program;
  return 8 + accounts[name].reduce((sum, [, type]) => sum + sizeOf(type, types), 0);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let different = 0;
  for (const [file, program] of Object.entries(programs)) {
    const path = join(here, `${file}.json`);
    const text = `${JSON.stringify(buildIdl(program), null, 2)}\n`;
    if (process.argv.includes('--check')) {
      if (readFileSync(path, 'utf8') !== text) {
        console.error(`${path} differs from its source: run node programs/idl/generate.mjs`);
        different = 1;
      }
    } else writeFileSync(path, text);
  }
  process.exitCode = different;
}
