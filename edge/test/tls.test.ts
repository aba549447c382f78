import { once } from 'node:events';
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { ed25519Signer, signTime } from '@gridtokenx/protocol';
import {
  type DialTarget,
  dialTls,
  openSession,
  type PeerJudge,
  provedVerifier,
  systemClock,
  systemRandom,
} from '@gridtokenx/runtime/node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Authority, type Certificate, type CertificateRequest, hasOpenssl } from '../../deploy/tls/certificates.js';
import { askOracleTime } from '../src/adapters/clock/oracle-time.js';

import { ANY_TIME, judgeByTime } from '../src/adapters/tls/floor-judge.js';

const mayRun = hasOpenssl() || process.env.CI === 'true';
if (!mayRun) console.warn('skipped: tests of TLS need the command "openssl"');

const DAY_MS = 86_400_000;
const now = Date.now();
const past = { from: new Date(now - 20 * DAY_MS), until: new Date(now - 10 * DAY_MS) };
const future = { from: new Date(now + 10 * DAY_MS), until: new Date(now + 20 * DAY_MS) };

let folder: string;
let authority: Authority;
let stranger: Authority;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gridtokenx-tls-'));
  if (!mayRun) return;
  authority = new Authority(join(folder, 'ca'));
  stranger = new Authority(join(folder, 'stranger'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const issue = (change: Partial<CertificateRequest> = {}, by = authority): Certificate =>
  by.issue({ file: `server-${count++}`, names: ['localhost', '127.0.0.1'], ...change });

/** A server that counts the bytes it receives. */
class Peer {
  readonly server: Server;
  bytes = 0;
  readonly sockets = new Set<{ destroy(): void }>();
  constructor(server: Server, event: string) {
    this.server = server;
    server.on(event, (socket: TLSSocket) => {
      this.sockets.add(socket.on('error', () => {}));
      socket.on('data', (chunk: Buffer) => {
        this.bytes += chunk.length;
      });
    });
  }
  get target(): DialTarget {
    return { host: '127.0.0.1', port: (this.server.address() as AddressInfo).port, caFile: authority.cert };
  }
}
let peers: Peer[] = [];
async function serve(pair: Certificate, options: TlsOptions = {}): Promise<Peer> {
  const server = createServer({ cert: readFileSync(pair.cert), key: readFileSync(pair.key), ...options });
  return listen(
    new Peer(
      server.on('tlsClientError', () => {}),
      'secureConnection',
    ),
  );
}
async function listen(peer: Peer): Promise<Peer> {
  peers.push(peer);
  await once(peer.server.listen(0, '127.0.0.1'), 'listening');
  return peer;
}
afterEach(() => {
  for (const { server, sockets } of peers) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
  peers = [];
});

/**
 * Returns `accepted`, or the reason of the refusal. Connects through the MQTT adapter, which must send nothing when it
 * refuses.
 */
async function outcome(peer: Peer, change: Partial<DialTarget> = {}, judge?: PeerJudge): Promise<string> {
  const dial = () => dialTls({ ...peer.target, ...change }, 5_000, judge);
  try {
    const socket = await dial();
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
    return 'accepted';
  } catch (error) {
    const options = {
      clientId: 'c',
      username: 'u',
      password: Buffer.from('token'),
      will: { topic: 't', payload: '' },
      mostPacketBytes: 1_000,
      onMessage: () => {},
    };
    await expect(openSession('mqtts://broker', options, dial)).rejects.toThrow((error as Error).message);
    expect(peer.bytes).toBe(0);
    return (error as Error).message;
  }
}

describe.skipIf(!mayRun)('a TLS connection', () => {
  test('is made with TLS 1.3 to the right name under the right authority', async () => {
    const peer = await serve(issue());
    expect(await outcome(peer)).toBe('accepted');
    expect(await outcome(peer, { serverName: 'localhost' })).toBe('accepted');
  });

  test('is refused in plain words otherwise', async () => {
    const peer = await serve(issue());
    expect(await outcome(peer, { caFile: stranger.cert })).toBe(
      `the certificate is not signed by an authority in ${stranger.cert} (UNABLE_TO_VERIFY_LEAF_SIGNATURE)`,
    );
    expect(await outcome(peer, { caFile: undefined })).toMatch(/authority that is known here: give its ca_file/);
    expect(await outcome(peer, { serverName: 'broker.example' })).toMatch(
      /^the certificate is for DNS:localhost, IP Address:127\.0\.0\.1, not for broker\.example: correct the address/,
    );
    expect(await outcome(peer, { serverName: '127.0.0.2' })).toMatch(/not for 127\.0\.0\.2/);
    const ended = past.until.toISOString().slice(0, 10);
    expect(await outcome(await serve(issue(past)))).toMatch(new RegExp(`has expired \\(it ends ${ended}`));
    expect(await outcome(await serve(issue(future)))).toMatch(/valid later only .*clock right\?$/);
    expect(await outcome(await serve(issue({ usage: 'clientAuth' })))).toMatch(/INVALID_PURPOSE/);
  });

  test('is not made with TLS 1.2, and not with what speaks no TLS', async () => {
    const old = await serve(issue(), { maxVersion: 'TLSv1.2' });
    expect(await outcome(old)).toMatch(/^127\.0\.0\.1:\d+ speaks no TLS 1\.3$/);
    const talker = await listen(
      new Peer(
        createTcpServer((socket) => socket.end('220 hello, I am no TLS\r\n')),
        'none',
      ),
    );
    expect(await outcome(talker)).toMatch(/does not speak TLS$/);
    const closer = await listen(
      new Peer(
        createTcpServer((socket) => socket.end().resume()),
        'none',
      ),
    );
    expect(await outcome(closer)).toMatch(/ended the connection in the TLS handshake/);
    const silent = await listen(
      new Peer(
        createTcpServer((socket) => closer.sockets.add(socket)),
        'none',
      ),
    );
    await expect(dialTls(silent.target, 50)).rejects.toThrow('no answer within 50 ms');
  });

  test('reads the file of authorities anew each time, and says what is wrong with it', async () => {
    const peer = await serve(issue());
    const caFile = join(folder, 'authorities.pem');
    expect(await outcome(peer, { caFile })).toBe(`ca_file ${caFile} cannot be read (ENOENT)`);
    writeFileSync(caFile, 'soon');
    expect(await outcome(peer, { caFile })).toBe(`ca_file ${caFile} holds no certificate in PEM`);
    copyFileSync(stranger.cert, caFile);
    expect(await outcome(peer, { caFile })).toMatch(/not signed by/);
    appendFileSync(caFile, readFileSync(authority.cert));
    expect(await outcome(peer, { caFile })).toBe('accepted');
  });
});

describe.skipIf(!mayRun)("an oracle's time over TLS", () => {
  const oracle = ed25519Signer(new Uint8Array(32).fill(8));
  const verifier = provedVerifier();
  const pair = () => issue();
  async function timeServer(own: Certificate): Promise<Peer> {
    const server = createHttpsServer(
      { cert: readFileSync(own.cert), key: readFileSync(own.key) },
      (request, response) => {
        request.once('data', (nonce: Buffer) => {
          response.end(signTime({ timeMs: Date.now() - 90_000, nonce: new Uint8Array(nonce) }, oracle));
        });
      },
    );
    return listen(new Peer(server, 'secureConnection'));
  }
  const ask = (peer: Peer, caFile: string) => {
    const dial = () => dialTls({ ...peer.target, caFile }, 5_000);
    const url = `https://127.0.0.1:${peer.target.port}`;
    return askOracleTime({ url, key: oracle.publicKey, dial }, verifier, systemClock, systemRandom);
  };

  test('is asked once the oracle has shown its certificate', async () => {
    const peer = await timeServer(pair());
    const { steadyAtMs, timeMs, errorMs } = await ask(peer, authority.cert);
    const behindMs = Date.now() - (timeMs + systemClock.monotonicMs() - steadyAtMs);
    expect(Math.abs(behindMs - 90_000)).toBeLessThanOrEqual(errorMs + 2);
    const before = peer.bytes;
    await expect(ask(peer, stranger.cert)).rejects.toThrow(/not signed by/);
    expect(peer.bytes).toBe(before);
  });

  test('is not asked without a way to open TLS connections', async () => {
    const url = 'https://127.0.0.1:1';
    const asked = askOracleTime({ url, key: oracle.publicKey }, verifier, systemClock, systemRandom);
    await expect(asked).rejects.toThrow('nothing opens TLS connections');
  });
});

describe.skipIf(!mayRun)('while the clock is unsure', () => {
  const within = (earliestMs: number, latestMs: number) => judgeByTime(() => ({ earliestMs, latestMs }));
  const unsure = (floorMs: number) => within(floorMs, Number.POSITIVE_INFINITY);
  const sure = judgeByTime(() => null);
  const before = unsure(past.from.getTime());

  test('a date that the floor does not contradict is no fault', async () => {
    for (const dates of [past, future]) {
      const peer = await serve(issue(dates));
      expect(await outcome(peer, {}, before)).toBe('accepted');
      expect(await outcome(peer, {}, sure)).toMatch(/has expired|valid later only/);
    }
    expect(await outcome(await serve(issue()), {}, before)).toBe('accepted');
  });

  test('a known time judges both ends of a certificate, and an oracle is asked without them', async () => {
    const day = within(now - DAY_MS, now + DAY_MS);
    expect(await outcome(await serve(issue(past)), {}, day)).toMatch(/has expired/);
    expect(await outcome(await serve(issue(future)), {}, day)).toMatch(/valid later only/);
    expect(await outcome(await serve(issue(future)), {}, within(future.from.getTime(), future.until.getTime()))).toBe(
      'accepted',
    );
    const anyTime = judgeByTime(() => ANY_TIME);
    for (const dates of [past, future]) expect(await outcome(await serve(issue(dates)), {}, anyTime)).toBe('accepted');
    expect(await outcome(await serve(issue(past, stranger)), {}, anyTime)).not.toBe('accepted');
  });

  test('what ended before the floor has expired, whatever the clock says', async () => {
    const floor = unsure(now + 200 * DAY_MS);
    expect(await outcome(await serve(issue()), {}, floor)).toMatch(/has expired/);
    expect(await outcome(await serve(issue(past)), {}, unsure(past.until.getTime() + 1))).toMatch(/has expired/);
  });

  test('no other fault hides behind a wrong date', async () => {
    const refused = /cannot prove that a trusted authority signed the certificate/;
    for (const dates of [past, future]) {
      const foreign = await serve(issue(dates, stranger));
      const complaints: (string | null)[] = [];
      const listening: PeerJudge = (peer) => {
        complaints.push(peer.complaint);
        return before(peer);
      };
      expect(await outcome(foreign, {}, listening)).toMatch(refused);
      // Shows why the judge exists: OpenSSL itself names the date alone.
      expect(complaints[0]).toMatch(/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/);
      const client = await serve(issue({ ...dates, usage: 'clientAuth' }));
      expect(await outcome(client, {}, before)).toMatch(refused);
      const right = await serve(issue(dates));
      expect(await outcome(right, { serverName: 'broker.example' }, before)).toMatch(/not for broker\.example/);
    }
  });

  test('one authority between is followed, more are not, and who is none is not', async () => {
    const chained = (leaf: Certificate, ...above: Certificate[]): Certificate => {
      for (const { cert } of above) appendFileSync(leaf.cert, readFileSync(cert));
      return leaf;
    };
    const first = issue({ names: ['first'], isAuthority: true });
    const second = issue({ names: ['second'], isAuthority: true, issuer: first });
    expect(await outcome(await serve(chained(issue({ ...past, issuer: first }), first)), {}, before)).toBe('accepted');
    const deep = chained(issue({ ...past, issuer: second }), second, first);
    expect(await outcome(await serve(deep), {}, before)).toMatch(/cannot prove that a trusted authority/);
    expect(await outcome(await serve(chained(issue({ issuer: second }), second, first)), {}, sure)).toBe('accepted');
    const server = issue();
    const byServer = chained(issue({ ...past, issuer: server }), server);
    expect(await outcome(await serve(byServer), {}, before)).toMatch(/cannot prove that a trusted authority|refused/);
    const bad = issue({
      names: ['constrained'],
      isAuthority: true,
      extensions: 'nameConstraints = critical,permitted;DNS:elsewhere.example\n',
    });
    const outside = chained(issue({ ...past, names: ['localhost'], issuer: bad }), bad);
    expect(await outcome(await serve(outside), { serverName: 'localhost' }, before)).toMatch(
      /PERMITTED_VIOLATION|refused/,
    );
  });
});
