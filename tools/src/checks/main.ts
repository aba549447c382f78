import { projectRoot } from '../root.js';
import { checkDependencies, checkDocuments } from './documents.js';
import { checkImports } from './imports.js';

const PACKAGES = ['', 'protocol', 'runtime', 'edge', 'broker', 'oracle', 'programs/clients', 'simulators', 'tools'];

const findings = [
  ...checkImports(projectRoot),
  ...checkDocuments(projectRoot),
  ...checkDependencies(projectRoot, PACKAGES),
];
for (const finding of new Set(findings)) console.error(finding);
console.log(
  findings.length === 0 ? 'Imports point one way; documents name what is there.' : `${findings.length} findings`,
);
process.exit(findings.length === 0 ? 0 : 1);
