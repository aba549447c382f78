import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '@gridtokenx/runtime/core';
import { ExitCode, runCli } from '@gridtokenx/runtime/node';
import { defaultProfilesPath, expectedTotals, loadProfiles, type Profile } from '@gridtokenx/simulators';
import { z } from 'zod';
import { readJson } from './files.js';
import type { Report } from './start/report.js';

/** Minimum export of every default home for a meaningful demonstration. */
const MIN_EXPORT_WH = 100n;

/**
 * Compares a report with its profile. Energies equal the floor of the profile's sums, exactly; minted base units =
 * 1,000 x exported Wh; supply = the sum. `lively` also requires that every home exported more than 100 Wh and imported.
 * Returns findings in words; empty when all figures are exact.
 */
export function checkReport(report: Report, profiles: readonly Profile[], options: { lively: boolean }): string[] {
  const findings: string[] = [];
  if (report.homes.length !== profiles.length) {
    findings.push(`${report.homes.length} homes in the report, ${profiles.length} in the profile`);
  }
  let exported = 0n;
  for (const profile of profiles) {
    const home = report.homes.find((candidate) => candidate.home === profile.home);
    if (!home) {
      findings.push(`home "${profile.home}" is not in the report`);
      continue;
    }
    const expected = expectedTotals(profile, report.windows);
    const say = (what: string, got: string, wanted: bigint) => {
      if (BigInt(got) !== wanted) findings.push(`home "${profile.home}": ${what} is ${got}, expected ${wanted}`);
    };
    say('export_wh', home.export_wh, expected.exportWh);
    say('import_wh', home.import_wh, expected.importWh);
    say('minted_base_units', home.minted_base_units, BigInt(home.export_wh) * 1000n);
    exported += BigInt(home.export_wh);
    if (options.lively && (expected.exportWh <= MIN_EXPORT_WH || expected.importWh === 0n)) {
      findings.push(
        `home "${profile.home}" exported ${expected.exportWh} Wh and imported ${expected.importWh} Wh: too quiet to show anything`,
      );
    }
    if (home.transactions.length === 0) findings.push(`home "${profile.home}" has no transaction`);
  }
  if (BigInt(report.totals.export_wh) !== exported) {
    findings.push(`totals.export_wh is ${report.totals.export_wh}, the homes add up to ${exported}`);
  }
  if (BigInt(report.totals.supply_base_units) !== exported * 1000n) {
    findings.push(`supply is ${report.totals.supply_base_units} base units, expected ${exported * 1000n}`);
  }
  return findings;
}

/** The figures that are compared with the profile; the rest of a report is for people. */
const wholeNumber = z.string().regex(/^-?\d{1,40}$/, 'expected a whole number as text');
const reportSchema = z.object({
  windows: z.int().min(0),
  homes: z.array(
    z.object({
      home: z.string(),
      export_wh: wholeNumber,
      import_wh: wholeNumber,
      minted_base_units: wholeNumber,
      transactions: z.array(z.unknown()),
    }),
  ),
  totals: z.object({ export_wh: wholeNumber, supply_base_units: wholeNumber }),
});

/** Reads a report. Throws `OperatorError` for a file that is missing or no report. */
export function readReport(file: string): Report {
  const report = readJson<Report>(file);
  const parsed = reportSchema.safeParse(report);
  if (parsed.success && report !== null) return report;
  const issue = parsed.error?.issues[0];
  const where = issue && issue.path.length > 0 ? ` (${issue.path.join('.')}: ${issue.message})` : '';
  const problem = report === null ? 'is not there' : `is no report${where}`;
  throw new OperatorError({ code: 'no-report', file, problem, advice: 'give the file that npm start --report wrote' });
}

function verify(path: string, profiles: string | undefined): void {
  // npm runs scripts in the package's folder; paths on the command line start from the user's folder.
  const from = process.env.INIT_CWD ?? process.cwd();
  const report = readReport(resolve(from, path));
  const played = loadProfiles(profiles === undefined ? defaultProfilesPath : resolve(from, profiles));
  const findings = checkReport(report, played, { lively: profiles === undefined });
  for (const finding of findings) process.stderr.write(`${finding}\n`);
  if (findings.length > 0) process.exitCode = ExitCode.unwell;
  else process.stdout.write(`${report.windows} windows of ${report.homes.length} homes: every figure is exact.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runCli({
    name: 'npm run verify-report --',
    description: 'Compares a report with its profile; exit code 3 when a figure is not exact',
    commands: (program) => {
      program
        .argument('<report>', 'the file that npm start --report wrote')
        .argument('[profiles]', 'the CSV of its profile (default: shipped real data)')
        .action(verify);
    },
  });
}
