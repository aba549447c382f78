import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applied, type Mutant, type Outcome } from '../mutant.js';
import { type Ended, start } from '../processes.js';
import { runTests } from '../vitest/run.js';
import { WORKSPACES } from './list.js';

const HOST_LIMIT_MS = 5 * 60_000;
/** Exit code of `programs/toolchain/build.sh` when a tool is missing. */
const MISSING = 3;

/** Runs a command to its end, and ends the command after the limit. */
function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  return start(command, args, HOST_LIMIT_MS, { cwd, stdio: 'ignore', env: { ...process.env, ...env } }).ended;
}

export interface RustBench {
  /** A copy of the tree that no other worker uses. */
  readonly copy: string;
  /** Cargo's build folder, kept between runs. */
  readonly target: string;
  /** Tests of the built programs, fastest first, with their seconds. */
  readonly tests: readonly { readonly file: string; readonly seconds: number }[];
}

type Verdict = Pick<Outcome, 'status' | 'by'>;

/** Runs the tests of both workspaces on the host. null: no test noticed the mutant. */
async function judgeOnHost({ copy, target }: RustBench, mutant: Mutant): Promise<Verdict | null> {
  const env = { CARGO_TARGET_DIR: join(target, 'host'), RUSTC: undefined };
  for (const workspace of WORKSPACES.filter((each) => mutant.file.startsWith(`${each}/`))) {
    const folder = join(copy, workspace);
    const built = await run('cargo', ['test', '--locked', '--quiet', '--no-run'], folder, env);
    if (built.code !== 0) return { status: 'unbuildable', by: '' };
    const tested = await run('cargo', ['test', '--locked', '--quiet'], folder, env);
    if (tested.isOutOfTime) return { status: 'timeout', by: `cargo test in ${workspace}` };
    if (tested.code !== 0) return { status: 'killed', by: `cargo test in ${workspace}` };
  }
  return null;
}

/** Builds the programs and runs their tests in a virtual machine. */
async function judgeOnChain({ copy, target, tests }: RustBench): Promise<Verdict> {
  const build = [join(copy, 'programs/toolchain/build.sh')];
  const { code } = await run('sh', build, copy, { CARGO_TARGET_DIR: join(target, 'sbpf'), GTX_PROGRAM_IDS: undefined });
  if (code === MISSING) return { status: 'not run', by: 'the toolchain for on-chain programs is not there' };
  if (code !== 0) return { status: 'unbuildable', by: '' };
  const seconds = tests.reduce((sum, each) => sum + each.seconds, 0);
  const files = tests.map(({ file }) => file);
  const task = { files, workers: 1, bail: true, testTimeoutMs: null, coverage: null };
  const { result, isOutOfTime } = await runTests(copy, task, null, 15_000 + 3000 * seconds);
  if (isOutOfTime) return { status: 'timeout', by: '' };
  const failed = result?.files.find(({ state }) => state === 'failed');
  return result && !failed ? { status: 'survived', by: '' } : { status: 'killed', by: failed?.file ?? 'a crash' };
}

/** Judges one mutant of a Rust source: first on the host, then in the built programs. */
export async function judgeRust(bench: RustBench, mutant: Mutant): Promise<Outcome> {
  const started = Date.now();
  const path = join(bench.copy, mutant.file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, applied(text, mutant));
  try {
    const verdict = (await judgeOnHost(bench, mutant)) ?? (await judgeOnChain(bench));
    return { mutant, ...verdict, seconds: (Date.now() - started) / 1000 };
  } finally {
    writeFileSync(path, text);
  }
}
