// Makes the objects of an InfluxDB 2 server that the oracle and the regulators need: buckets with their retention, tasks, and
// one token for each reader. A second run changes nothing, except that tasks follow their files.
//   node deploy/influx/setup.mjs --url http://HOST:8086 --org ORG --dir DIR [--regulator NAME]... [--revoke NAME]...
// DIR receives the tokens, one file each, readable by their owner only: operator.token, oracle.token, regulator-NAME.token. The
// script makes operator.token on a fresh server; otherwise the operator puts it there. The script prints no token.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const DAY_S = 86_400;
/** Seconds that a bucket keeps its data. */
const BUCKETS = { 'gtx-raw': 90 * DAY_S, 'gtx-15m': 1_095 * DAY_S, 'gtx-day': 3_650 * DAY_S };
const tasksFolder = join(dirname(fileURLToPath(import.meta.url)), 'tasks');

class Stop extends Error {}

function readToken(path) {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : null;
}

function writeToken(path, token) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
}

async function ask(server, method, path, body) {
  let response;
  try {
    response = await fetch(`${server.url}/api/v2/${path}`, {
      method,
      headers: {
        ...(server.token ? { authorization: `Token ${server.token}` } : {}),
        'content-type': 'application/json',
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(30_000),
    });
  } catch (error) {
    throw new Stop(`${server.url} cannot be reached: ${error.cause?.message ?? error.message}`);
  }
  const text = await response.text();
  if (response.ok) return text === '' ? null : JSON.parse(text);
  if (response.status === 401) throw new Stop(`${server.url} does not know the token in operator.token`);
  throw new Stop(`${method} ${path}: the server answered ${response.status}: ${text.slice(0, 300)}`);
}

/** Returns the all-access token. For a fresh server it makes the token, and stores it before the server gets it. */
async function operator(server, org, dir) {
  const path = join(dir, 'operator.token');
  const { allowed } = await ask(server, 'GET', 'setup');
  if (allowed) {
    if (!existsSync(path)) writeToken(path, randomBytes(32).toString('base64url'));
    const password = randomBytes(24).toString('base64url');
    // Nobody keeps the password: the tokens do everything, and `influxd recovery` sets another password.
    const body = { username: 'operator', password, org, bucket: 'gtx-raw', token: readToken(path) };
    await ask(server, 'POST', 'setup', body);
  }
  const token = readToken(path);
  if (!token) throw new Stop(`${path} is missing: put an all-access token of this server there`);
  return token;
}

async function buckets(server, orgID) {
  const ids = {};
  const list = (await ask(server, 'GET', `buckets?orgID=${orgID}&limit=100`)).buckets;
  for (const [name, everySeconds] of Object.entries(BUCKETS)) {
    const retentionRules = [{ type: 'expire', everySeconds }];
    const found = list.find((bucket) => bucket.name === name);
    const bucket = found
      ? await ask(server, 'PATCH', `buckets/${found.id}`, { retentionRules })
      : await ask(server, 'POST', 'buckets', { orgID, name, retentionRules });
    ids[name] = bucket.id;
  }
  return ids;
}

async function tasks(server, orgID) {
  for (const file of readdirSync(tasksFolder).filter((name) => name.endsWith('.flux'))) {
    const flux = readFileSync(join(tasksFolder, file), 'utf8');
    const name = /name: "([^"]+)"/.exec(flux)?.[1];
    const found = (await ask(server, 'GET', `tasks?orgID=${orgID}&name=${name}`)).tasks[0];
    if (found) await ask(server, 'PATCH', `tasks/${found.id}`, { flux });
    else await ask(server, 'POST', 'tasks', { orgID, flux });
  }
}

/** Returns a token. A server never shows a token again, so a token without its file is replaced. */
async function token(server, orgID, description, path, permissions) {
  if (existsSync(path)) return 'kept';
  await revoke(server, orgID, description);
  const made = await ask(server, 'POST', 'authorizations', { orgID, description, permissions });
  writeToken(path, made.token);
  return 'made';
}

async function revoke(server, orgID, description) {
  const { authorizations } = await ask(server, 'GET', `authorizations?orgID=${orgID}`);
  for (const { id } of authorizations.filter((one) => one.description === description)) {
    await ask(server, 'DELETE', `authorizations/${id}`);
  }
}

const USAGE = 'usage: setup.mjs --url URL --org ORG --dir DIR [--regulator NAME]... [--revoke NAME]...';

/** Returns the options of the command line. Throws `Stop` for a wrong one. */
function options() {
  try {
    return parseArgs({
      options: {
        url: { type: 'string' },
        org: { type: 'string' },
        dir: { type: 'string' },
        regulator: { type: 'string', multiple: true, default: [] },
        revoke: { type: 'string', multiple: true, default: [] },
      },
    }).values;
  } catch (error) {
    if (!String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
    throw new Stop(`${error.message.split('\n')[0].replace(/\.$/, '')}; ${USAGE}`);
  }
}

async function main() {
  const values = options();
  const { url, org, dir } = values;
  if (!url || !org || !dir) throw new Stop(USAGE);
  if (!URL.canParse(url)) throw new Stop(`--url ${url}: is no URL`);
  for (const name of [...values.regulator, ...values.revoke]) {
    if (!/^[a-z0-9-]{1,40}$/.test(name)) throw new Stop(`"${name}": a name has lower-case letters, digits and -`);
  }
  const server = { url: url.replace(/\/$/, '') };
  server.token = await operator(server, org, dir);
  const orgID = (await ask(server, 'GET', `orgs?org=${encodeURIComponent(org)}`)).orgs[0].id;
  const ids = await buckets(server, orgID);
  console.log('buckets: gtx-raw 90 days, gtx-15m 3 years, gtx-day 10 years');
  await tasks(server, orgID);
  console.log('tasks: as in deploy/influx/tasks');
  const may = (action, name) => ({ action, resource: { type: 'buckets', id: ids[name], orgID } });
  const write = [may('write', 'gtx-raw'), may('read', 'gtx-raw')];
  const oracle = join(dir, 'oracle.token');
  console.log(`${oracle}: ${await token(server, orgID, 'gtx oracle', oracle, write)}`);
  for (const name of values.regulator) {
    const path = join(dir, `regulator-${name}.token`);
    const read = [may('read', 'gtx-15m'), may('read', 'gtx-day')];
    console.log(`${path}: ${await token(server, orgID, `gtx regulator ${name}`, path, read)}`);
  }
  for (const name of values.revoke) {
    await revoke(server, orgID, `gtx regulator ${name}`);
    rmSync(join(dir, `regulator-${name}.token`), { force: true });
    console.log(`regulator ${name}: revoked`);
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Stop ? error.message : error);
  process.exit(error instanceof Stop ? 2 : 1);
}
