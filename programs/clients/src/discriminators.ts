import * as generated from './generated/discriminators.js';

function find(table: Readonly<Record<string, readonly number[]>>, name: string): Uint8Array {
  const bytes = table[name];
  if (!bytes) throw new RangeError(`the programs have no ${name}`);
  return Uint8Array.from(bytes);
}

/** Opens the data of an instruction. `name` in snake case; a RangeError for one that no program has. */
export const instructionDiscriminator = (name: string): Uint8Array => find(generated.instructionDiscriminators, name);
/** Opens an account. */
export const accountDiscriminator = (name: string): Uint8Array => find(generated.accountDiscriminators, name);
/** Opens an event in the logs. */
export const eventDiscriminator = (name: string): Uint8Array => find(generated.eventDiscriminators, name);
