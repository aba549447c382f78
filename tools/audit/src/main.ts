import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { auditDevices } from './devices.js';
import { auditEnergy } from './energy.js';
import { readChain } from './read.js';
import { Audit, type Figures, fallen, type Levels } from './rules.js';

/**
 * A check by somebody who trusts nobody here: it takes the committed IDLs and an RPC URL, none of the project's other code, reads
 * every account of the programs and of the token, and recomputes supply, pages and cursors, and compares what was metered and minted with what the lines can carry. It confirms invariants 1 and 2
 * [chain §9] for one moment, and 3 (nothing falls) against an earlier result.
 */
export interface OutsiderResult {
  readonly ok: boolean;
  /** What is wrong, in words; empty when all is well. */
  readonly findings: readonly string[];
  readonly figures: Figures;
  /** For the next run's comparison. */
  readonly levels: Levels;
}

/** Runs the check. Throws when the node does not answer or the chain never stands still for two reads. */
export async function outsiderCheck(rpcUrl: string, previous?: OutsiderResult): Promise<OutsiderResult> {
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

async function main(): Promise<number> {
  const command = new Command('outsider')
    .description(
      'Recomputes supply, pages and cursors from the chain alone; exit 0 when all agree, 1 when not, 2 when it cannot tell',
    )
    .requiredOption('--rpc <url>', 'RPC URL of the node')
    .option('--previous <file>', 'an earlier result: nothing may have fallen since')
    .option('--out <file>', 'write the result, for --previous of a later run')
    .parse();
  const { rpc, previous, out } = command.opts<{ rpc: string; previous?: string; out?: string }>();
  try {
    const earlier = previous ? (JSON.parse(readFileSync(previous, 'utf8')) as OutsiderResult) : undefined;
    const result = await outsiderCheck(rpc, earlier);
    for (const [name, value] of Object.entries(result.figures)) console.log(`${name.padEnd(20)} ${value}`);
    for (const finding of result.findings) console.error(finding);
    console.log(result.ok ? 'Everything agrees.' : `${result.findings.length} findings.`);
    if (out) writeFileSync(out, `${JSON.stringify(result)}\n`);
    return result.ok ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(await main());
