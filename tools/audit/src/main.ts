import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { auditDevices } from './devices.js';
import { auditEnergy } from './energy.js';
import { auditExport } from './exported.js';
import { readChain } from './read.js';
import { Audit, type Figures, fallen, type Levels } from './rules.js';

/**
 * The result of an audit by a party that trusts nobody here. The audit uses the committed IDLs and an RPC URL, and none
 * of the project's other code. It reads every account of the programs and of the token, and recomputes supply, pages
 * and cursors. It compares metered and minted energy with the capacity of the lines. It confirms invariants 1 and 2
 * [chain §9] for one moment, and 3 (nothing falls) against an earlier result.
 */
export interface AuditResult {
  readonly ok: boolean;
  /** The problems in words; empty without any. */
  readonly findings: readonly string[];
  readonly figures: Figures;
  /** Numbers that the next run compares. */
  readonly levels: Levels;
}

/** Runs the check. Throws when the node does not answer or the chain changes between every two reads. */
export async function auditChain(rpcUrl: string, previous?: AuditResult): Promise<AuditResult> {
  const chain = await readChain(rpcUrl);
  const audit = new Audit(chain);
  audit.registry();
  audit.pages();
  audit.disputes();
  const figures = audit.token();
  const levels = audit.levels();
  const findings = [...audit.findings, ...auditDevices(chain), ...auditEnergy(chain)];
  if (previous) {
    if (previous.figures.network_id !== figures.network_id) findings.push('the earlier result is of another network');
    findings.push(...fallen(previous.levels, levels));
  }
  return { ok: findings.length === 0, findings, figures, levels };
}

/** Exit codes of the command. The numbers are those of all programs here; the audit imports none of their code. */
const ExitCode = { done: 0, operator: 2, findings: 3 } as const;

interface Given {
  readonly rpc?: string;
  readonly export?: string;
  readonly key?: string;
  readonly previous?: string;
  readonly out?: string;
}

const wordsOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');

function optionsOf(argv: readonly string[]): Given {
  return new Command('npm run audit --')
    .description(
      'Recomputes supply, pages and cursors from the chain alone; exit 0 when all agree, 3 when not, 2 when it cannot tell',
    )
    .option('--rpc <url>', 'RPC URL of the node')
    .option('--export <file>', "check a gateway's export instead: signatures, seqs, registers, roots")
    .option('--key <base58>', 'with --export: the key that the registry holds for the meter')
    .option('--previous <file>', 'an earlier result: nothing may have fallen since')
    .option('--out <file>', 'write the result, for --previous of a later run')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .parse([...argv], { from: 'user' })
    .opts<Given>();
}

/** Refuses an address that no node has: the words of an error would show a password in the address. */
function checkRpc(rpc: string): void {
  const url = URL.canParse(rpc) ? new URL(rpc) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new Error('--rpc is no address of a node; write it like http://127.0.0.1:18801');
  }
  if (url.username !== '' || url.password !== '') throw new Error('--rpc must not hold a user name or a password');
}

/** A result has a few hundred bytes for each meter. */
const MAX_PREVIOUS_BYTES = 268_435_456;

/** Reads an earlier result. Throws for a pipe or a device, which may never end, and for a file that is no result. */
function readPrevious(file: string): AuditResult {
  const text = textOf(file);
  try {
    const result = JSON.parse(text) as Partial<AuditResult>;
    if (result.levels && result.figures) return result as AuditResult;
  } catch {
    // The words of the error would quote the file.
  }
  throw new Error(`--previous ${file} is no earlier result`);
}

function textOf(file: string): string {
  // Opening a pipe without a writer would wait without end. Windows has no such pipes.
  const opened = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const found = fstatSync(opened);
    if (!found.isFile()) throw new Error(`--previous ${file} is no regular file`);
    if (found.size > MAX_PREVIOUS_BYTES) throw new Error(`--previous ${file} is too large for an earlier result`);
    return readFileSync(opened, 'utf8');
  } finally {
    closeSync(opened);
  }
}

/** Checks the result's path before the audit, which may take long. Throws for everything that cannot become a file. */
function checkOut(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found && !found.isFile()) throw new Error(`--out ${file} is no regular file`);
  if (!found && !statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`--out ${file}: there is no such folder`);
  }
}

async function audit({ rpc, previous, out, export: exported, key }: Given): Promise<number> {
  if (exported !== undefined) {
    if (rpc ?? previous ?? out) throw new Error('--export is checked alone, or with --key');
    return checkExport(pathOf(exported), key ?? null);
  }
  if (key !== undefined) throw new Error('--key means nothing without --export');
  if (rpc === undefined) throw new Error('give --rpc, the address of a node, or --export, a file of a gateway');
  checkRpc(rpc);
  const earlier = previous ? readPrevious(pathOf(previous)) : undefined;
  if (out) checkOut(pathOf(out));
  const result = await auditChain(rpc, earlier).catch((error: unknown) => {
    if (!/fetch failed/.test(String(error))) throw error;
    throw new Error(`no node answers at ${rpc}; start it, or correct --rpc`, { cause: error });
  });
  for (const [name, value] of Object.entries(result.figures)) console.log(`${name.padEnd(20)} ${value}`);
  for (const finding of result.findings) console.error(finding);
  console.log(result.ok ? 'Everything agrees.' : `${result.findings.length} findings.`);
  if (out) writeFileSync(pathOf(out), `${JSON.stringify(result)}\n`);
  return result.ok ? ExitCode.done : ExitCode.findings;
}

async function checkExport(file: string, expectedKey: string | null): Promise<number> {
  const { figures, findings, key, meterId } = await auditExport(file, expectedKey);
  console.log(`${'meter'.padEnd(20)} ${meterId}`);
  console.log(`${'key'.padEnd(20)} ${key}`);
  for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(20)} ${value}`);
  for (const finding of findings) console.error(finding);
  console.log(findings.length === 0 ? 'Everything agrees.' : `${findings.length} findings.`);
  return findings.length === 0 ? ExitCode.done : ExitCode.findings;
}

/** Resolves a path from the user's folder: npm runs scripts in the package's folder. */
const pathOf = (path: string): string => resolve(process.env.INIT_CWD ?? process.cwd(), path);

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await audit(optionsOf(argv));
  } catch (error) {
    // Requested help is printed by then.
    if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.done;
    const advice = error instanceof CommanderError ? '; "npm run audit -- --help" lists what there is' : '';
    console.error(`npm run audit: ${wordsOf(error)}${advice}`);
    return ExitCode.operator;
  }
}

/** Runs the command. Reports an output that fails as well, because a partial answer must not look complete. */
async function runToEnd(): Promise<number> {
  let failure: Error | null = null;
  process.stdout.on('error', (error) => {
    failure ??= error;
  });
  const code = await main(process.argv.slice(2));
  await new Promise<void>((resolve) => process.stdout.write('', () => setImmediate(resolve)));
  if (failure === null) return code;
  console.error(`npm run audit: the standard output cannot be written (${wordsOf(failure)})`);
  return code === ExitCode.done ? ExitCode.operator : code;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await runToEnd());
