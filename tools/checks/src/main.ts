import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExitCode, runCli } from '@gridtokenx/runtime/node/cli/run-cli';
import { checkCircles } from './circles.js';
import { checkCitations } from './citations.js';
import { checkCoverage } from './coverage.js';
import { checkDependencies, checkDocuments } from './documents.js';
import { checkGenerated } from './generated.js';
import { checkImports } from './imports.js';
import { checkLicences } from './licences.js';
import { checkProse } from './prose.js';
import { checkReadingWay } from './reading-way.js';
import { projectRoot } from './root.js';

function check(): void {
  const { workspaces } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    workspaces: string[];
  };
  const prose = checkProse(projectRoot);
  const findings = [
    ...checkImports(projectRoot),
    ...checkCircles(projectRoot, workspaces),
    ...checkDocuments(projectRoot),
    ...checkCitations(projectRoot),
    ...checkCoverage(projectRoot),
    ...checkReadingWay(projectRoot),
    ...prose.findings,
    ...checkGenerated(projectRoot),
    ...checkLicences(projectRoot),
    ...checkDependencies(projectRoot, ['', ...workspaces]),
  ];
  for (const finding of new Set(findings)) console.error(finding);
  console.log(
    findings.length === 0 ? 'Imports point one way; documents name what is there.' : `${findings.length} findings`,
  );
  // A finding is a defect of the project, not an error of the user.
  console.log(`${prose.longSentences} sentences of comments and documents have more than 25 words.`);
  if (findings.length > 0) process.exitCode = ExitCode.defect;
}

await runCli({
  name: 'npm run check --',
  description: 'Checks imports, documents, licences and dependencies; exit code 1 for findings',
  commands: (program) => void program.action(check),
});
