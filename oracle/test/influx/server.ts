import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@gridtokenx/testing-kit/free-port';
import { until } from '@gridtokenx/testing-kit/until';
import { expect, test } from 'vitest';

const VERSION = 'v2.7.12';
const BUILD = 'deploy/influx/build-influxd.sh';

/** Path of the server that the build script makes; null when it was not built on this machine. */
export const influxd: string | null = (() => {
  const prefix = process.env.GTX_INFLUXD_PREFIX ?? join(homedir(), '.cache/gridtokenx', `influxd-${VERSION}`);
  const path = join(prefix, 'bin', 'influxd');
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return null;
  }
})();

/** Fails in CI when the server is missing; elsewhere skips and states how to build it. */
export function announceServer(): void {
  if (influxd) return;
  const what = `no InfluxDB server here: run ${BUILD} (about 5 minutes), then the tests with a real server run too`;
  if (process.env.CI === 'true') {
    test('a real InfluxDB server is there', () => {
      expect.fail(what);
    });
  } else {
    console.warn(`SKIPPED: ${what}`);
    test.skip(what, () => {});
  }
}

/** A real server on a loopback port with its own data folder; a test may kill it and start it again. */
export class RealServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'gtx-influxd-'));
  readonly org = 'gtx';
  url = '';
  #port = 0;
  #child: ChildProcess | null = null;

  async start(): Promise<void> {
    if (this.#child) throw new Error('the server runs already');
    // The same port again: the writer knows only one address.
    this.#port ||= await freePort();
    this.url = `http://127.0.0.1:${this.#port}`;
    const at = (name: string) => join(this.folder, name);
    const child = spawn(
      influxd ?? 'influxd',
      [
        ...['--bolt-path', at('bolt'), '--engine-path', at('engine'), '--sqlite-path', at('sqlite')],
        ...['--http-bind-address', `127.0.0.1:${this.#port}`, '--reporting-disabled', '--log-level', 'error'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, GOMAXPROCS: '2' } },
    );
    this.#child = child;
    // A test process that ends early must leave no server running.
    const endToo = () => child.kill('SIGKILL');
    process.once('exit', endToo);
    child.once('exit', () => process.off('exit', endToo));
    await until('the server answers', async () => {
      if (child.exitCode !== null) throw new Error(`influxd ended with exit code ${child.exitCode}`);
      return (await fetch(`${this.url}/health`).catch(() => null))?.status === 200;
    });
  }

  /** kill -9: no shutdown, no flush. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  token(name = 'operator'): string {
    return readFileSync(join(this.folder, 'tokens', `${name}.token`), 'utf8').trim();
  }

  /** Runs the set-up command of an operator; rejects when its exit code is not 0. */
  async setUp(...more: string[]): Promise<string> {
    const script = new URL('../../../deploy/influx/setup.mjs', import.meta.url).pathname;
    const where = ['--url', this.url, '--org', this.org, '--dir', join(this.folder, 'tokens')];
    const child = spawn(process.execPath, [script, ...where, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        said += data;
      });
    }
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`setup.mjs ended with ${code}: ${said}`);
    return said;
  }

  async ask(method: string, path: string, body?: object, token = this.token()): Promise<Response> {
    return fetch(`${this.url}/api/v2/${path}`, {
      method,
      headers: { authorization: `Token ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  }

  /** Makes a bucket without retention, because the readings of tests lie in the past. */
  async makeBucket(name: string): Promise<void> {
    const orgs = (await (await this.ask('GET', 'orgs')).json()) as { orgs: { id: string }[] };
    const made = await this.ask('POST', 'buckets', { orgID: orgs.orgs[0]?.id, name, retentionRules: [] });
    expect(made.status).toBe(201);
  }

  async write(bucket: string, lines: readonly string[]): Promise<void> {
    const response = await fetch(`${this.url}/api/v2/write?org=${this.org}&bucket=${bucket}&precision=ms`, {
      method: 'POST',
      headers: { authorization: `Token ${this.token()}` },
      body: lines.join('\n'),
    });
    expect(response.status, await response.text()).toBe(204);
  }

  /** Returns the rows of a Flux query by column name; `now` sets the query's present. */
  async rows(query: string, now?: Date, token?: string): Promise<Record<string, string>[]> {
    const body = { query, type: 'flux', dialect: { annotations: [] }, ...(now ? { now: now.toISOString() } : {}) };
    const response = await this.ask('POST', `query?org=${this.org}`, body, token);
    const text = await response.text();
    expect(response.status, text).toBe(200);
    return parseTables(text);
  }
}

/**
 * Parses the tables of a CSV answer without annotations. Each table begins with a line of names; no value here has a
 * comma.
 */
function parseTables(text: string): Record<string, string>[] {
  const rows: Record<string, string>[] = [];
  let names: string[] | null = null;
  for (const line of text.split('\r\n')) {
    if (line === '') {
      names = null;
      continue;
    }
    const values = line.split(',');
    if (names) rows.push(Object.fromEntries(names.map((name, i) => [name, values[i] ?? ''])));
    else names = values;
  }
  const error = rows.find((row) => row.error);
  if (error) throw new Error(error.error);
  return rows;
}
