import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '@gridtokenx/runtime/core';
import { draw, shares } from './draw.js';
import type { Mutant } from './mutant.js';
import type { Options } from './options.js';
import { findCargoMutants, rustMutants } from './rust/list.js';
import { linesOf, productSources } from './sources.js';
import { typescriptMutants } from './typescript.js';

export interface MutantChoice {
  /** Every mutant found, including those that rules exclude. */
  readonly all: readonly Mutant[];
  readonly chosen: readonly Mutant[];
  /** Mutants of Rust that belong to the draw but could not be listed. */
  readonly unlisted: number;
}

type Say = (line: string) => void;

const refusal = (code: string, file: string | undefined, problem: string, advice: string) =>
  new OperatorError({ code, file, problem, advice });

function ofFile(root: string, file: string, tools: string, say: Say): Promise<Mutant[]> | Mutant[] {
  if (!existsSync(join(root, file)))
    throw refusal('missing-file', file, 'is not there', "give a path from the project's folder");
  if (file.endsWith('.ts')) return typescriptMutants(root, [file]);
  if (!file.endsWith('.rs')) throw refusal('no-source', file, 'is neither TypeScript nor Rust', '');
  const binary = findCargoMutants(tools, say);
  if (!binary)
    throw refusal('no-cargo', undefined, 'mutants of Rust need cargo and cargo-mutants', 'install what is missing');
  return rustMutants(root, [file], binary);
}

/** Chooses the mutants that a command line requests. Throws `OperatorError` for a source that cannot have any. */
export async function choose(root: string, options: Options, tools: string, say: Say): Promise<MutantChoice> {
  if (options.file !== null) {
    const all = await ofFile(root, options.file, tools, say);
    return { all, chosen: all.filter(({ ignored }) => ignored === null), unlisted: 0 };
  }
  const sources = productSources(root);
  const lines = { typescript: linesOf(root, sources.typescript), rust: linesOf(root, sources.rust) };
  const count = shares(options.sample ?? 0, lines);
  say(`Finding the mutants of ${lines.typescript} lines of TypeScript and ${lines.rust} of Rust ...`);
  const typescript = await typescriptMutants(root, sources.typescript);
  const binary = count.rust > 0 ? findCargoMutants(tools, say) : null;
  const rust = binary ? rustMutants(root, sources.rust, binary) : [];
  const chosen = [...draw(typescript, count.typescript, options.seed), ...draw(rust, count.rust, options.seed)];
  return { all: [...typescript, ...rust], chosen, unlisted: binary ? 0 : count.rust };
}
