// Runs first, on any Node from version 20 on: installs the pinned dependencies when the lock file is newer than the
// installed packages, strips the types, and starts the pinned Node 24 of node_modules.
// node tools/run.mjs start|test|bench|check|quality|campaign|mutants|build [arguments]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuseArguments, stop } from './script.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const commands = {
  start: 'tools/devnet/dist/start/main.js',
  test: 'tools/test.mjs',
  bench: 'testing/bench/dist/main.js',
  check: 'tools/checks/dist/main.js',
  quality: 'tools/quality.mjs',
  'verify-report': 'tools/devnet/dist/verify-report.js',
  audit: 'tools/audit/dist/main.js',
  'submit-statement': 'tools/submit/dist/main.js',
  campaign: 'testing/campaigns/dist/main.js',
  mutants: 'tools/mutants/dist/main.js',
  build: null,
};

/**
 * Runs npm by its own script path, so that the same npm is used that started this script. Else runs the npm on the
 * PATH.
 */
function npm(args) {
  const path = process.env.npm_execpath;
  const [command, first] = path ? [process.execPath, [path]] : ['npm', []];
  return spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: !path && process.platform === 'win32',
  });
}

function install() {
  const lock = join(root, 'package-lock.json');
  const stamp = join(root, 'node_modules', '.gridtokenx-lock');
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  const started = Date.now();
  console.log('Installing the pinned dependencies (once, about 560 MB on disk) ...');
  const result = npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  if (result.status !== 0) stop('npm ci failed: check the network and the disk, then run the same command again.');
  writeFileSync(stamp, wanted);
  console.log(`Dependencies installed in ${((Date.now() - started) / 1000).toFixed(0)} s.`);
}

/** Returns the pinned Node 24: everything runs on the binary that the lock file names by hash. */
function pinnedNode() {
  const name = `node-${process.platform}-${process.arch}`;
  const binary = join(root, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(binary)) return binary;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  return stop(
    `There is no pinned Node 24 for ${process.platform}-${process.arch} and this is Node ${process.versions.node}: ` +
      'install Node 24 or newer and run the same command with it.',
  );
}

function main() {
  const [command, ...args] = process.argv.slice(2);
  if (!command || !Object.hasOwn(commands, command)) {
    stop(`usage: node tools/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
  }
  if (command === 'build') refuseArguments('npm run build', args);
  if (Number(process.versions.node.split('.')[0]) < 20) stop(`Node ${process.versions.node} is too old: 20 or newer.`);
  install();
  const node = pinnedNode();
  const build = spawnSync(node, [join(root, 'tools', 'build.mjs')], { stdio: 'inherit' });
  if (build.status !== 0) stop('The build failed, see above.');
  const script = commands[command];
  if (!script) return;
  const child = spawn(node, [join(root, script), ...args], {
    stdio: 'inherit',
    env: { ...process.env, GTX_ROOT: root },
  });
  // A Ctrl-C may reach the child through the terminal too; the child counts two signals in one second as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}

main();
