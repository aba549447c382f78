import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asPublicKeyText } from '@gridtokenx/protocol';
import type { RunningHttp } from '@gridtokenx/runtime/node';
import { quietLog } from '@gridtokenx/testing-kit/quiet-log';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Authority, type Certificate, hasOpenssl } from '../../../deploy/tls/certificates.js';
import { askOverHttp } from '../../src/adapters/chain/cosign/http.js';
import { serveService } from '../../src/adapters/http/server.js';
import { securePeers } from '../../src/wiring/secure.js';

const KEY = asPublicKeyText(new Uint8Array(32));
const mayRun = hasOpenssl() || process.env.CI === 'true';
const body = Uint8Array.of(1, 2, 255);
let folder: string;
let authority: Authority;
let own: Certificate;
let server: RunningHttp | null = null;
let heard: Uint8Array[] = [];

beforeAll(() => {
  if (!mayRun) return;
  folder = mkdtempSync(join(tmpdir(), 'gtx-peer-tls-'));
  authority = new Authority(join(folder, 'ca'));
  own = authority.issue({ file: 'peer', names: ['oracle-2.example'] });
  copyFileSync(new Authority(join(folder, 'stranger')).cert, join(folder, 'stranger.pem'));
});
afterEach(async () => {
  await server?.close();
  server = null;
  heard = [];
});
afterAll(() => mayRun && rmSync(folder, { recursive: true }));

/** The port of an oracle that answers 409 to whatever is asked; over TLS unless told otherwise. */
async function start(isSecure = true): Promise<number> {
  const material = {
    cert: readFileSync(own.cert, 'utf8'),
    key: readFileSync(own.key, 'utf8'),
    minVersion: 'TLSv1.3' as const,
  };
  const served = {
    time: () => new Uint8Array(),
    cosign: async (asked: Uint8Array) => {
      heard.push(asked);
      return { status: 409, body: { refused: 'held' } };
    },
  };
  server = await serveService(
    { host: '127.0.0.1', port: 0 },
    served,
    quietLog,
    isSecure ? { material, onRenewed: () => {} } : undefined,
  );
  return server.port;
}

function peerAt(url: string, more: { ca_file?: string; server_name?: string }) {
  const [peer] = securePeers([{ oracle: KEY, attestor: KEY, url, ...more }], (name) => name);
  if (!peer) throw new Error('no peer');
  return peer;
}

describe.skipIf(!mayRun)('a peer that is asked over TLS', () => {
  const trusted = () => ({ ca_file: authority.cert, server_name: 'oracle-2.example' });

  it('is believed by its authority and its name, and hears the request whole', async () => {
    const url = `https://127.0.0.1:${await start()}`;
    expect(await askOverHttp(peerAt(url, trusted()), body)).toEqual({ status: 409, body: { refused: 'held' } });
    expect(heard.map((bytes) => [...bytes])).toEqual([[1, 2, 255]]);
  });

  it.each([
    [
      'another authority',
      () => ({ ca_file: join(folder, 'stranger.pem'), server_name: 'oracle-2.example' }),
      /not signed by an authority in/,
    ],
    [
      'no authority of ours',
      () => ({ server_name: 'oracle-2.example' }),
      /not signed by an authority that is known here/,
    ],
    ['another name', () => ({ ca_file: authority.cert }), /is for DNS:oracle-2\.example, not for 127\.0\.0\.1/],
  ])('is sent nothing where it shows %s', async (_, more, words) => {
    const url = `https://127.0.0.1:${await start()}`;
    await expect(askOverHttp(peerAt(url, more()), body)).rejects.toThrow(words);
    expect(heard).toEqual([]);
  });

  it('is sent nothing where it speaks no TLS, or where nothing dials it', async () => {
    const url = `https://127.0.0.1:${await start(false)}`;
    await expect(askOverHttp(peerAt(url, trusted()), body)).rejects.toThrow(/does not speak TLS/);
    await expect(askOverHttp({ oracle: KEY, attestor: KEY, url }, body)).rejects.toThrow(/nothing dials it/);
    expect(heard).toEqual([]);
  });
});
