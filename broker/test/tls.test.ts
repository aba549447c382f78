import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as tcpConnect } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { connect as tlsConnect } from 'node:tls';
import { formatTopic } from '@gridtokenx/protocol';
import type { CertificateFiles } from '@gridtokenx/runtime/node';
import { certificateRoom, looked, mayMakeCertificates, openFiles } from '@gridtokenx/testing-kit/certificates';
import { until } from '@gridtokenx/testing-kit/until';
import type { IClientOptions } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Authority, type Certificate, renew } from '../../deploy/tls/certificates.js';
import { closed, connect, endAll, type Fixture, nextMessage, optionsFor, signerOf, startFixture } from './harness.js';

const gateway = signerOf('gateway');
const room = certificateRoom();

describe.skipIf(!mayMakeCertificates)('MQTT over TLS', () => {
  let fixture: Fixture;
  let pair: Certificate;
  let files: CertificateFiles;
  beforeEach(async () => {
    pair = room.issue();
    files = openFiles(pair).files;
    fixture = await startFixture({
      certificate: files,
      limits: { connections: 3, connectSeconds: 1, statusBytes: 65_536, pendingPerAddress: 8 },
    });
    fixture.keys.set(gateway, 'gateway');
  });
  afterEach(async () => {
    endAll();
    await fixture.close();
  });
  const trusting = () => ({ ca: readFileSync(room.authority.cert) });
  /** The MQTT library hands everything to node:tls, its types do not say so. */
  const oldTls = () => ({ ...trusting(), maxVersion: 'TLSv1.2' }) as IClientOptions;
  const serialNow = async (): Promise<string> => {
    const socket = tlsConnect({ host: '127.0.0.1', port: fixture.port, ...trusting() });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };

  it('serves TLS 1.3 with all rules of the broker', async () => {
    const client = await connect(fixture, optionsFor(gateway, trusting()));
    expect((client.stream as unknown as TLSSocket).getProtocol()).toBe('TLSv1.3');
    const status = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
    await client.subscribeAsync(status, { qos: 1 });
    // Larger than a TLS record and than any buffer on the way.
    const told = nextMessage(client);
    await client.publishAsync(status, 'x'.repeat(60_000), { qos: 1, retain: true });
    expect((await told).payload.length).toBe(60_000);
    expect((await client.subscribeAsync('gtx/v1/#').catch(() => [{ qos: 128 }]))[0]?.qos).toBe(128);
    expect(await fixture.figure('gtx_broker_clients')).toBe(1);
  });

  it('ends a packet above the limit, and what is not sent with a key', async () => {
    const client = await connect(fixture, optionsFor(gateway, trusting()));
    const ended = closed(client);
    client.publish(formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey }), 'x'.repeat(70_000), { qos: 1 });
    await ended;
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'oversize_packet' })).toBe(1);
    const token = { password: Buffer.from('no token'), ...trusting() };
    await expect(connect(fixture, optionsFor(gateway, token))).rejects.toMatchObject({ code: 4 });
  });

  it('refuses TLS 1.2 and plain MQTT, and counts them', async () => {
    const old = connect(fixture, optionsFor(gateway, oldTls()));
    await expect(old).rejects.toThrow(/alert protocol version/);
    await until('counted', async () => (await fixture.figure('gtx_broker_refused_total', { reason: 'tls' })) === 1);
    await expect(connect({ ...fixture, scheme: 'mqtt' }, optionsFor(gateway))).rejects.toThrow();
    await until('counted', async () => (await fixture.figure('gtx_broker_refused_total', { reason: 'tls' })) === 2);
    expect(fixture.lines.filter(({ message }) => message === 'TLS handshake failed').length).toBe(2);
    expect(await fixture.figure('gtx_broker_clients')).toBe(0);
  });

  it('is refused by a client that trusts another authority or wants another name', async () => {
    const stranger = new Authority(join(room.folder, 'stranger'), 'another authority');
    const foreign = connect(fixture, optionsFor(gateway, { ca: readFileSync(stranger.cert) }));
    await expect(foreign).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    const elsewhere = connect(fixture, optionsFor(gateway, { ...trusting(), servername: 'elsewhere.example' }));
    await expect(elsewhere).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(await fixture.figure('gtx_broker_clients')).toBe(0);
  });

  it('shows a renewed certificate to new connections and ends none', async () => {
    const client = await connect(fixture, optionsFor(gateway, trusting()));
    let ended = false;
    client.once('close', () => {
      ended = true;
    });
    const before = await serialNow();
    expect(await serialNow()).toBe(before);
    renew(room.issue(), pair);
    looked(files);
    const after = await serialNow();
    expect(after).not.toBe(before);
    // TLS 1.3 stays the oldest that is spoken.
    const old = connect(fixture, optionsFor(gateway, oldTls()));
    await expect(old).rejects.toThrow(/alert protocol version/);
    writeFileSync(pair.cert, 'half a file');
    looked(files);
    expect(files.refused).toMatch(/holds no certificate/);
    expect(await serialNow()).toBe(after);
    const status = formatTopic({ kind: 'gateway-status', gateway: gateway.publicKey });
    await client.publishAsync(status, 'still here', { qos: 1, retain: true });
    expect(ended).toBe(false);
    expect(await fixture.figure('gtx_broker_clients')).toBe(1);
  });

  it('bounds connections that never finish their handshake, and gives up on them', async () => {
    const silent = Array.from({ length: 3 }, () => tcpConnect(fixture.port, '127.0.0.1').on('error', () => {}));
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    await Promise.all(silent.map((socket) => socket.destroyed || once(socket.resume(), 'close')));
    expect(await fixture.figure('gtx_broker_refused_total', { reason: 'tls' })).toBe(3);
    await connect(fixture, optionsFor(gateway, trusting()));
    expect(await fixture.figure('gtx_broker_clients')).toBe(1);
    await until(
      'only the session is left',
      () => fixture.server.sizes.sockets === 1 && fixture.server.sizes.pending === 0,
    );
  });

  it('lets a gateway in while more handshakes hang than it takes', async () => {
    for (let i = 0; i < 50; i++) {
      const silent = tcpConnect(fixture.port, '127.0.0.1').on('error', () => {});
      await once(silent, 'connect');
      silent.write(Buffer.of(0x16, 3, 1));
    }
    const client = await connect(fixture, optionsFor(gateway, trusting()));
    expect(fixture.server.sizes.pending).toBeLessThanOrEqual(8);
    const ended = closed(client);
    client.stream.destroy();
    await ended;
    await until('nothing is left of the session', () => fixture.server.sizes.sessions === 0);
  });

  it('stops with sessions and handshakes open', async () => {
    const client = await connect(fixture, optionsFor(gateway, trusting()));
    const silent = tcpConnect(fixture.port, '127.0.0.1').on('error', () => {});
    await once(silent, 'connect');
    const ended = Promise.all([closed(client), once(silent.resume(), 'close')]);
    await fixture.close();
    await ended;
    expect(fixture.server.listening).toBe(false);
    fixture = await startFixture();
  });
});
