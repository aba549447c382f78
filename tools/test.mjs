// npm test: every check and every test but the slow ones, in an order that fails early. Prints what it does, the slowest
// files, a summary, and as its last line "N passed, N failed, N skipped". With CI=true a missing toolchain is a failure;
// elsewhere it is a printed skip.
//   npm test [-- FILTER... [-t NAME]]            runs only vitest: files with a filter in their path, slow ones too
//   npm run test:slow [-- FILTER... [-t NAME]]   runs the files named *.slow.test.ts: kills, InfluxDB, whole stacks
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stop } from './script.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = process.execPath;
const inCi = process.env.CI === 'true';
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const skips = [];
/** Files that the table at the end names. */
const SLOWEST = 20;

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options, env: { ...process.env, ...options.env } });
}

/** Counts one check by its exit code. */
function check(name, command, args, options) {
  const started = Date.now();
  console.log(`\n== ${name}`);
  const status = run(command, args, options).status;
  if (status === 0) totals.passed++;
  else {
    totals.failed++;
    failures.push(`${name} (exit code ${status})`);
  }
  console.log(`   ${status === 0 ? 'ok' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function missing(name, what) {
  if (inCi) {
    totals.failed++;
    failures.push(`${name}: ${what}`);
    console.log(`\n== ${name}\n   FAILED: ${what}`);
  } else {
    totals.skipped++;
    skips.push(`${name}: ${what}`);
    console.log(`\n== ${name}\n   SKIPPED: ${what}`);
  }
}

const has = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Prints where the time went, the slowest file first. Files may have run side by side. */
function printSlowest(results) {
  const files = results
    .map(({ name, startTime, endTime }) => ({ name: relative(root, name), seconds: (endTime - startTime) / 1000 }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST);
  console.log(`\nThe ${files.length} slowest test files, in seconds:`);
  for (const { name, seconds } of files) console.log(`${seconds.toFixed(1).padStart(7)}  ${name}`);
}

/** `set`: `fast`, `slow` or `all`, as vitest.config.ts reads it. */
function vitest(filters, set) {
  console.log(`\n== vitest (${set} files)`);
  const folder = mkdtempSync(join(tmpdir(), 'gtx-test-'));
  const output = join(folder, 'vitest.json');
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=dot', '--reporter=json'];
  const status = run(node, [...args, `--outputFile.json=${output}`, ...filters], { env: { GTX_TESTS: set } }).status;
  const result = existsSync(output) ? JSON.parse(readFileSync(output, 'utf8')) : null;
  rmSync(folder, { recursive: true, force: true });
  if (result && filters.length === 0) printSlowest(result.testResults);
  totals.passed += result?.numPassedTests ?? 0;
  totals.failed += result?.numFailedTests ?? 0;
  totals.skipped += result?.numPendingTests ?? 0;
  // A file that cannot be loaded has no tests to count, and must not count as passed.
  if (status !== 0 && !result?.numFailedTests) totals.failed++;
  if (status !== 0) failures.push('vitest, see above');
}

/** Runs the host tests of Rust crates, with rustup's or the distribution's cargo and a separate target folder. */
function cargoTests(name, folder) {
  if (!has('cargo', '--version')) return missing(name, 'cargo is not there: install Rust 1.88 or newer');
  const started = Date.now();
  console.log(`\n== ${name}`);
  const target = join(root, 'programs/target/host');
  const result = run('cargo', ['test', '--locked', '--quiet'], {
    cwd: join(root, folder),
    env: { CARGO_TARGET_DIR: target, RUSTC: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  process.stdout.write(result.stdout);
  for (const match of result.stdout.matchAll(/(\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    totals.passed += Number(match[1]);
    totals.failed += Number(match[2]);
    totals.skipped += Number(match[3]);
  }
  if (result.status !== 0) {
    totals.failed++;
    failures.push(name);
  }
  return console.log(`   ${result.status === 0 ? 'ok' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Counts a script that exits with 3 where its toolchain is missing. */
function script(name, file, toolchain) {
  const started = Date.now();
  console.log(`\n== ${name}`);
  const { status } = run('sh', [join(root, file)]);
  if (status === 3) return missing(name, `${toolchain}: sh programs/toolchain/setup.sh`);
  if (status === 0) totals.passed++;
  else {
    totals.failed++;
    failures.push(name);
  }
  return console.log(`   ${status === 0 ? 'ok' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function* testFiles(folder = '') {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (['node_modules', 'dist', 'target', '.git', '.gridtokenx'].includes(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith('.test.ts')) yield path;
  }
}

/** Ends with one line where vitest would show a stack, or would find nothing and count that as a failure. */
function checkFilters(given) {
  const files = given.length > 0 ? [...testFiles()] : [];
  for (const [i, filter] of given.entries()) {
    if (filter === '-t' || given[i - 1] === '-t') continue;
    if (filter.startsWith('-')) stop(`npm test: unknown option "${filter}"; give parts of file names, or -t NAME`);
    const wanted = relative(root, resolve(root, filter)).replace(/:\d+$/, '');
    if (!files.some((file) => file.includes(wanted) || file.includes(filter))) {
      stop(`npm test: no test file has "${filter}" in its path; correct it`);
    }
  }
}

const isSlow = process.argv[2] === '--slow';
const filters = process.argv.slice(isSlow ? 3 : 2);
checkFilters(filters);
const started = Date.now();
if (isSlow) vitest(filters, 'slow');
else if (filters.length > 0) vitest(filters, 'all');
else {
  check('types', node, [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', root]);
  check('style', join(root, 'node_modules/.bin/biome'), ['check', '--error-on-warnings', root]);
  check('imports, documents, licences', node, [join(root, 'tools/checks/dist/main.js')]);
  script('style of the Rust workspaces', 'programs/toolchain/lint.sh', 'clippy or rustfmt is not there');
  cargoTests('wire format in Rust', 'protocol/rust');
  cargoTests('programs on the host', 'programs');
  script(
    'committed programs equal their source',
    'programs/toolchain/check.sh',
    'the toolchain for on-chain programs is not there',
  );
  vitest([], 'fast');
}
console.log(`\n${((Date.now() - started) / 1000).toFixed(0)} s in all.`);
for (const skip of skips) console.log(`skipped  ${skip}`);
for (const failure of failures) console.log(`failed   ${failure}`);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed === 0 && failures.length === 0 ? 0 : 1);
