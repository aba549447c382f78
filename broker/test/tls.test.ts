import { once } from 'node:events';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { connect as tlsConnect } from 'node:tls';
import { formatTopic } from '@gridtokenx/protocol';
import { CertificateError, CertificateFiles } from '@gridtokenx/runtime';
import type { IClientOptions } from 'mqtt';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  Authority,
  type Certificate,
  type CertificateRequest,
  hasOpenssl,
  renew,
} from '../../deploy/tls/certificates.js';
import { certificateMetrics, prometheusMetrics } from '../src/adapters/metrics.js';
import { closed, connect, endAll, nextMessage, optionsFor, type Rig, signerOf, startRig, until } from './harness.js';

const mayRun = hasOpenssl() || process.env.CI === 'true';
if (!mayRun) console.warn('skipped: tests of TLS need the command "openssl"');

const gateway = signerOf('gateway');
const DAY_MS = 86_400_000;

let folder: string;
let authority: Authority;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'broker-tls-'));
  if (mayRun) authority = new Authority(join(folder, 'ca'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const issue = (change: Partial<CertificateRequest> = {}): Certificate =>
  authority.issue({ file: `server-${count++}`, names: ['localhost', '127.0.0.1'], ...change });

interface Lines {
  readonly warnings: { error?: string; message: string }[];
  readonly results: string[];
}
function openFiles(pair: Certificate, now: () => number = Date.now): { files: CertificateFiles } & Lines {
  const lines: Lines = { warnings: [], results: [] };
  const log = {
    info: () => {},
    warn: (fields: Record<string, unknown>, message: string) => {
      lines.warnings.push({ ...fields, message });
    },
  };
  const onRenewal = (result: string) => lines.results.push(result);
  const own = { certFile: pair.cert, keyFile: pair.key, minVersion: 'TLSv1.3' as const };
  return { files: new CertificateFiles({ ...own, now, log, onRenewal }), ...lines };
}
/** A change is taken at the second look that finds it. */
function looked(files: CertificateFiles): void {
  for (let i = 0; i < 2; i++) files.look();
}

describe.skipIf(!mayRun)('certificate files', () => {
  const reason = (pair: Certificate): string => {
    try {
      openFiles(pair);
      return 'none';
    } catch (error) {
      expect(error).toBeInstanceOf(CertificateError);
      return (error as Error).message;
    }
  };

  it('are refused when others may read the key', () => {
    const pair = issue();
    expect(reason(pair)).toBe('none');
    for (const mode of [0o644, 0o640, 0o604, 0o620]) {
      chmodSync(pair.key, mode);
      expect(reason(pair)).toMatch(new RegExp(`^${pair.key}: others may read .*mode 0${mode.toString(8)}.*chmod 600`));
    }
    chmodSync(pair.key, 0o400);
    expect(reason(pair)).toBe('none');
  });

  it('are refused with the file and the reason, and without a word of the key', () => {
    const [pair, other] = [issue(), issue()];
    const secret = readFileSync(pair.key, 'utf8').split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(20);
    expect(reason({ cert: pair.cert, key: other.key })).toBe(
      `${other.key}: is not the key of the first certificate in ${pair.cert}`,
    );
    expect(reason({ cert: pair.key, key: pair.key })).toBe(`${pair.key}: holds no certificate in PEM`);
    expect(reason({ cert: join(folder, 'none'), key: pair.key })).toBe(`${folder}/none: cannot be read (ENOENT)`);
    expect(reason({ cert: pair.cert, key: join(folder, 'none') })).toBe(`${folder}/none: cannot be read (ENOENT)`);
    writeFileSync(pair.key, `-----BEGIN PRIVATE KEY-----\n${secret.slice(4)}\n-----END PRIVATE KEY-----\n`);
    expect(reason(pair)).toBe(`${pair.key}: holds no private key in PEM without a passphrase`);
    writeFileSync(other.cert, readFileSync(other.cert, 'utf8').replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'));
    expect(reason(other)).toBe(`${other.cert}: certificate 1 in it is damaged`);
  });

  it('are taken anew only as a pair that fits and lies still', () => {
    const [pair, next] = [issue(), issue()];
    const { files, warnings, results } = openFiles(pair);
    const taken: string[] = [];
    files.onRenewed(({ cert }) => taken.push(cert));
    looked(files);
    expect(taken).toEqual([]);
    renew(next, pair);
    files.look();
    expect(taken).toEqual([]);
    files.look();
    files.look();
    expect(taken).toEqual([readFileSync(next.cert, 'utf8')]);
    expect(files.material.key).toBe(readFileSync(next.key, 'utf8'));
    expect([results, warnings]).toEqual([['taken'], []]);
  });

  it('stay in force while a new pair cannot be served, which is said once', () => {
    const [pair, next] = [issue(), issue()];
    const { files, warnings, results } = openFiles(pair);
    const before = files.material;
    let renewals = 0;
    files.onRenewed(() => renewals++);
    const refused = (what: RegExp) => {
      for (let i = 0; i < 5; i++) files.look();
      expect(files.material).toBe(before);
      expect(warnings.at(-1)?.error).toMatch(what);
      expect(files.refused).toMatch(what);
      expect(files.problem).toMatch(/renewed certificate is not used/);
    };
    writeFileSync(pair.cert, readFileSync(next.cert)); // The key of the old one is still there.
    refused(/is not the key of the first certificate/);
    writeFileSync(pair.key, readFileSync(next.key));
    chmodSync(pair.key, 0o644);
    refused(/others may read this private key/);
    unlinkSync(pair.key);
    refused(/cannot be read \(ENOENT\)/);
    renew(issue({ from: new Date(Date.now() - 9 * DAY_MS), until: new Date(Date.now() - 1_000) }), pair);
    refused(/has expired on/);
    expect(results).toEqual(['refused', 'refused', 'refused', 'refused']);
    expect(warnings.length).toBe(4);
    expect(renewals).toBe(0);
    renew(next, pair);
    looked(files);
    expect([renewals, files.refused, files.problem]).toEqual([1, null, null]);
  });

  it('wait for the time of a certificate that begins later', () => {
    let now = Date.now();
    const pair = issue();
    const { files, warnings } = openFiles(pair, () => now);
    const next = issue({ from: new Date(now + DAY_MS), until: new Date(now + 50 * DAY_MS) });
    renew(next, pair);
    for (let i = 0; i < 4; i++) files.look();
    expect(files.material.cert).not.toBe(readFileSync(next.cert, 'utf8'));
    expect(warnings.map(({ error }) => error)).toEqual([expect.stringMatching(/is valid from .*still to come/)]);
    now += DAY_MS + 1_000;
    files.look();
    expect(files.material.cert).toBe(readFileSync(next.cert, 'utf8'));
    expect(files.refused).toBeNull();
  });

  it('tell the days that are left, and remind once a day from two weeks on', async () => {
    const start = Date.now();
    let now = start;
    const pair = issue({ until: new Date(start + 15 * DAY_MS + 5_000) });
    const { files, warnings } = openFiles(pair, () => now);
    const { registry } = prometheusMetrics();
    certificateMetrics(registry).watch(files);
    expect(await registry.metrics()).toMatch(/^gtx_broker_certificate_expiry_days 15\.0/m);
    expect(await registry.metrics()).toMatch(/^gtx_broker_certificate_refused 0$/m);
    files.look();
    expect([warnings.length, files.problem]).toEqual([0, null]);
    for (const hours of [48, 49, 60, 73]) {
      now = start + hours * 3_600_000;
      files.look();
    }
    expect(warnings.length).toBe(2);
    expect(files.problem).toBeNull();
    now = start + 12.5 * DAY_MS;
    expect(files.problem).toMatch(/expires in 2 days/);
    now = start + 16 * DAY_MS;
    expect(files.problem).toMatch(/has expired/);
    expect(await registry.metrics()).toMatch(/^gtx_broker_certificate_expiry_days -0\.99/m);
  });

  it('are judged by their shortest certificate', () => {
    const pair = issue();
    appendFileSync(pair.cert, readFileSync(issue({ until: new Date(Date.now() + 3 * DAY_MS) }).cert));
    expect(Math.round(openFiles(pair).files.expiryDays)).toBe(3);
  });
});

describe.skipIf(!mayRun)('MQTT over TLS', () => {
  let rig: Rig;
  let pair: Certificate;
  let files: CertificateFiles;
  beforeEach(async () => {
    pair = issue();
    files = openFiles(pair).files;
    rig = await startRig({
      certificate: files,
      limits: { connections: 3, connectSeconds: 1, statusBytes: 65_536, pendingPerAddress: 8 },
    });
    rig.keys.set(gateway, 'gateway');
  });
  afterEach(async () => {
    endAll();
    await rig.close();
  });
  const trusting = () => ({ ca: readFileSync(authority.cert) });
  /** The MQTT library hands everything to node:tls, its types do not say so. */
  const oldTls = () => ({ ...trusting(), maxVersion: 'TLSv1.2' }) as IClientOptions;
  const serialNow = async (): Promise<string> => {
    const socket = tlsConnect({ host: '127.0.0.1', port: rig.port, ...trusting() });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };

  it('serves TLS 1.3 with all rules of the broker', async () => {
    const client = await connect(rig, optionsFor(gateway, trusting()));
    expect((client.stream as unknown as TLSSocket).getProtocol()).toBe('TLSv1.3');
    const status = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
    await client.subscribeAsync(status, { qos: 1 });
    // Larger than a TLS record and than any buffer on the way.
    const told = nextMessage(client);
    await client.publishAsync(status, 'x'.repeat(60_000), { qos: 1, retain: true });
    expect((await told).payload.length).toBe(60_000);
    expect((await client.subscribeAsync('gtx/v1/#').catch(() => [{ qos: 128 }]))[0]?.qos).toBe(128);
    expect(await rig.figure('gtx_broker_clients')).toBe(1);
  });

  it('ends a packet above the limit, and what is not sent with a key', async () => {
    const client = await connect(rig, optionsFor(gateway, trusting()));
    const ended = closed(client);
    client.publish(formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey }), 'x'.repeat(70_000), { qos: 1 });
    await ended;
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
    const token = { password: Buffer.from('no token'), ...trusting() };
    await expect(connect(rig, optionsFor(gateway, token))).rejects.toMatchObject({ code: 4 });
  });

  it('refuses TLS 1.2 and plain MQTT, and counts them', async () => {
    const old = connect(rig, optionsFor(gateway, oldTls()));
    await expect(old).rejects.toThrow(/alert protocol version/);
    await until('counted', async () => (await rig.figure('gtx_broker_refused_total', { reason: 'tls' })) === 1);
    await expect(connect({ ...rig, scheme: 'mqtt' }, optionsFor(gateway))).rejects.toThrow();
    await until('counted', async () => (await rig.figure('gtx_broker_refused_total', { reason: 'tls' })) === 2);
    expect(rig.lines.filter(({ message }) => message === 'TLS handshake failed').length).toBe(2);
    expect(await rig.figure('gtx_broker_clients')).toBe(0);
  });

  it('is refused by a client that trusts another authority or wants another name', async () => {
    const stranger = new Authority(join(folder, 'stranger'), 'another authority');
    const foreign = connect(rig, optionsFor(gateway, { ca: readFileSync(stranger.cert) }));
    await expect(foreign).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    const elsewhere = connect(rig, optionsFor(gateway, { ...trusting(), servername: 'elsewhere.example' }));
    await expect(elsewhere).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(await rig.figure('gtx_broker_clients')).toBe(0);
  });

  it('shows a renewed certificate to new connections and ends none', async () => {
    const client = await connect(rig, optionsFor(gateway, trusting()));
    let ended = false;
    client.once('close', () => {
      ended = true;
    });
    const before = await serialNow();
    expect(await serialNow()).toBe(before);
    renew(issue(), pair);
    looked(files);
    const after = await serialNow();
    expect(after).not.toBe(before);
    // TLS 1.3 stays the oldest that is spoken.
    const old = connect(rig, optionsFor(gateway, oldTls()));
    await expect(old).rejects.toThrow(/alert protocol version/);
    writeFileSync(pair.cert, 'half a file');
    looked(files);
    expect(files.refused).toMatch(/holds no certificate/);
    expect(await serialNow()).toBe(after);
    const status = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
    await client.publishAsync(status, 'still here', { qos: 1, retain: true });
    expect(ended).toBe(false);
    expect(await rig.figure('gtx_broker_clients')).toBe(1);
  });

  it('bounds connections that never finish their handshake, and gives up on them', async () => {
    const silent = Array.from({ length: 3 }, () => tcpConnect(rig.port, '127.0.0.1').on('error', () => {}));
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    await Promise.all(silent.map((socket) => socket.destroyed || once(socket.resume(), 'close')));
    expect(await rig.figure('gtx_broker_refused_total', { reason: 'tls' })).toBe(3);
    await connect(rig, optionsFor(gateway, trusting()));
    expect(await rig.figure('gtx_broker_clients')).toBe(1);
    await until('only the session is left', () => rig.server.sizes.sockets === 1 && rig.server.sizes.pending === 0);
  });

  it('lets a gateway in while more handshakes hang than it takes', async () => {
    for (let i = 0; i < 50; i++) {
      const silent = tcpConnect(rig.port, '127.0.0.1').on('error', () => {});
      await once(silent, 'connect');
      silent.write(Buffer.of(0x16, 3, 1));
    }
    const client = await connect(rig, optionsFor(gateway, trusting()));
    expect(rig.server.sizes.pending).toBeLessThanOrEqual(8);
    const ended = closed(client);
    client.stream.destroy();
    await ended;
    await until('nothing is left of the session', () => rig.server.sizes.sessions === 0);
  });

  it('stops with sessions and handshakes open', async () => {
    const client = await connect(rig, optionsFor(gateway, trusting()));
    const silent = tcpConnect(rig.port, '127.0.0.1').on('error', () => {});
    await once(silent, 'connect');
    const ended = Promise.all([closed(client), once(silent.resume(), 'close')]);
    await rig.close();
    await ended;
    expect(rig.server.listening).toBe(false);
    rig = await startRig();
  });
});
