// Adds to package-lock.json the optional platform packages that the registry did not serve when the lock was made.
// `npm ci` refuses a lock in which any is missing, even for platforms that it would never install. Added packages are
// pinned by version. Nobody checks their hash until a lock is made where the registry has them.
// node tools/complete-lock.mjs after npm install; prints what it added
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuseArguments } from './script.mjs';

refuseArguments('tools/complete-lock.mjs', process.argv.slice(2));

const path = join(dirname(dirname(fileURLToPath(import.meta.url))), 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));
const systems = {
  android: 'android',
  darwin: 'darwin',
  linux: 'linux',
  win32: 'win32',
  freebsd: 'freebsd',
  openbsd: 'openbsd',
};
const processors = ['arm64', 'x64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64', 'wasm32'];

/** Returns the platform fields by the naming that all these packages follow: NAME-SYSTEM-PROCESSOR[-LIBC]. */
function platform(name) {
  const parts = name.split('/').at(-1).split(/[-_]/);
  const os = parts.find((part) => systems[part]);
  const cpu = parts.find((part) => processors.includes(part));
  if (!os || !cpu) return null;
  const libc = parts.includes('musl') ? ['musl'] : os === 'linux' && parts.includes('gnu') ? ['glibc'] : null;
  return { cpu: [cpu], ...(libc ? { libc } : {}), os: [os] };
}

const added = [];
for (const [where, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${where}/node_modules/${name}`;
    const hoisted = `node_modules/${name}`;
    if (lock.packages[nested] || lock.packages[hoisted] || !/^\d/.test(version)) continue;
    const fields = platform(name);
    if (!fields) continue;
    lock.packages[hoisted] = { version, ...fields, ...(entry.dev ? { dev: true } : {}), optional: true };
    added.push(`${name}@${version}`);
  }
}
const root = lock.packages[''];
const rest = Object.entries(lock.packages).filter(([where]) => where !== '');
rest.sort(([a], [b]) => (a < b ? -1 : 1));
for (const [, entry] of rest) if (entry.extraneous) entry.drop = true;
lock.packages = { '': root, ...Object.fromEntries(rest.filter(([, entry]) => !entry.drop)) };
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length ? `added ${added.join(', ')}` : 'the lock file is complete');
