import { appendFileSync, chmodSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateRoom, looked, mayMakeCertificates, openFiles } from '@gridtokenx/testing-kit/certificates';
import { describe, expect, it } from 'vitest';
import { type Certificate, renew } from '../../../deploy/tls/certificates.js';
import { CertificateError, certificateMetrics, Metrics } from '../../src/node/index.js';

const DAY_MS = 86_400_000;
const ADVICE = '; put the right file there, or correct its path';
const room = certificateRoom();

describe.skipIf(!mayMakeCertificates)('certificate files', () => {
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
    const pair = room.issue();
    expect(reason(pair)).toBe('none');
    for (const mode of [0o644, 0o640, 0o604, 0o620]) {
      chmodSync(pair.key, mode);
      expect(reason(pair)).toMatch(new RegExp(`^${pair.key}: others may read .*mode 0${mode.toString(8)}.*chmod 600`));
    }
    chmodSync(pair.key, 0o400);
    expect(reason(pair)).toBe('none');
  });

  it('are refused with the file and the reason, and without a word of the key', () => {
    const [pair, other] = [room.issue(), room.issue()];
    const secret = readFileSync(pair.key, 'utf8').split('\n')[1] ?? '';
    expect(secret.length).toBeGreaterThan(20);
    expect(reason({ cert: pair.cert, key: other.key })).toBe(
      `${other.key}: is not the key of the first certificate in ${pair.cert}${ADVICE}`,
    );
    expect(reason({ cert: pair.key, key: pair.key })).toBe(`${pair.key}: holds no certificate in PEM${ADVICE}`);
    expect(reason({ cert: join(room.folder, 'none'), key: pair.key })).toBe(
      `${room.folder}/none: cannot be read (ENOENT)${ADVICE}`,
    );
    expect(reason({ cert: pair.cert, key: join(room.folder, 'none') })).toBe(
      `${room.folder}/none: cannot be read (ENOENT)${ADVICE}`,
    );
    writeFileSync(pair.key, `-----BEGIN PRIVATE KEY-----\n${secret.slice(4)}\n-----END PRIVATE KEY-----\n`);
    expect(reason(pair)).toBe(`${pair.key}: holds no private key in PEM without a passphrase${ADVICE}`);
    writeFileSync(other.cert, readFileSync(other.cert, 'utf8').replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'));
    expect(reason(other)).toBe(`${other.cert}: certificate 1 in it is damaged${ADVICE}`);
  });

  it('are taken anew only as a pair that fits and lies still', () => {
    const [pair, next] = [room.issue(), room.issue()];
    const { files, warnings, results } = openFiles(pair);
    const taken: string[] = [];
    files.onRenewed(({ cert }) => taken.push(cert));
    looked(files);
    expect(taken).toEqual([]);
    renew(next, pair);
    files.checkFiles();
    expect(taken).toEqual([]);
    files.checkFiles();
    files.checkFiles();
    expect(taken).toEqual([readFileSync(next.cert, 'utf8')]);
    expect(files.material.key).toBe(readFileSync(next.key, 'utf8'));
    expect([results, warnings]).toEqual([['taken'], []]);
  });

  it('stay in force while a new pair cannot be served, which is said once', () => {
    const [pair, next] = [room.issue(), room.issue()];
    const { files, warnings, results } = openFiles(pair);
    const before = files.material;
    let renewals = 0;
    files.onRenewed(() => renewals++);
    const refused = (what: RegExp) => {
      for (let i = 0; i < 5; i++) files.checkFiles();
      expect(files.material).toBe(before);
      expect(warnings.at(-1)?.err).toMatch(what);
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
    renew(room.issue({ from: new Date(Date.now() - 9 * DAY_MS), until: new Date(Date.now() - 1_000) }), pair);
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
    const pair = room.issue();
    const { files, warnings } = openFiles(pair, () => now);
    const next = room.issue({ from: new Date(now + DAY_MS), until: new Date(now + 50 * DAY_MS) });
    renew(next, pair);
    for (let i = 0; i < 4; i++) files.checkFiles();
    expect(files.material.cert).not.toBe(readFileSync(next.cert, 'utf8'));
    expect(warnings.map(({ err }) => err)).toEqual([expect.stringMatching(/is valid from .*still to come/)]);
    now += DAY_MS + 1_000;
    files.checkFiles();
    expect(files.material.cert).toBe(readFileSync(next.cert, 'utf8'));
    expect(files.refused).toBeNull();
  });

  it('tell the days that are left, and remind once a day from two weeks on', async () => {
    const start = Date.now();
    let now = start;
    const pair = room.issue({ until: new Date(start + 15 * DAY_MS + 5_000) });
    const { files, warnings } = openFiles(pair, () => now);
    const metrics = new Metrics('broker');
    certificateMetrics(metrics).watch(files);
    expect(await metrics.text()).toMatch(/^gtx_broker_certificate_expiry_days 15\.0/m);
    expect(await metrics.text()).toMatch(/^gtx_broker_certificate_refused 0$/m);
    files.checkFiles();
    expect([warnings.length, files.problem]).toEqual([0, null]);
    for (const hours of [48, 49, 60, 73]) {
      now = start + hours * 3_600_000;
      files.checkFiles();
    }
    expect(warnings.length).toBe(2);
    expect(files.problem).toBeNull();
    now = start + 12.5 * DAY_MS;
    expect(files.problem).toMatch(/expires in 2 days/);
    now = start + 16 * DAY_MS;
    expect(files.problem).toMatch(/has expired/);
    expect(await metrics.text()).toMatch(/^gtx_broker_certificate_expiry_days -0\.99/m);
  });

  it('are told by the millisecond: two weeks, a day, three days, the end', () => {
    const untilMs = Math.floor(Date.now() / 1_000) * 1_000 + 20 * DAY_MS;
    let now = untilMs - 14 * DAY_MS;
    const pair = room.issue({ until: new Date(untilMs) });
    const { files, warnings } = openFiles(pair, () => now);
    const remindersAt = (ms: number) => {
      now = ms;
      files.checkFiles();
      return warnings.length;
    };
    const firstMs = now + 1;
    expect([warnings.length, remindersAt(firstMs), remindersAt(firstMs + DAY_MS - 1)]).toEqual([0, 1, 1]);
    expect(warnings[0]).toMatchObject({ event: 'certificate_expiring', file: pair.cert, days: 13 });
    expect(remindersAt(firstMs + DAY_MS)).toBe(2);
    const problemAt = (ms: number) => {
      now = ms;
      return files.problem;
    };
    const advice = 'renew it, and it is taken without a restart';
    expect(problemAt(untilMs - 3 * DAY_MS)).toBeNull();
    expect(problemAt(untilMs - 3 * DAY_MS + 1)).toBe(`${pair.cert} expires in 2 days: ${advice}`);
    expect(problemAt(untilMs)).toBe(`${pair.cert} expires in 0 days: ${advice}`);
    expect(problemAt(untilMs + 1)).toBe(`${pair.cert} has expired: ${advice}`);
  });

  it('are taken from the first moment of their time on, and not at its end', () => {
    let now = Math.floor(Date.now() / 1_000) * 1_000;
    const pair = room.issue();
    const { files, results } = openFiles(pair, () => now);
    const [fromMs, untilMs] = [now + DAY_MS, now + 5 * DAY_MS];
    renew(room.issue({ from: new Date(fromMs), until: new Date(untilMs) }), pair);
    looked(files);
    const problemAt = (ms: number) => {
      now = ms;
      files.checkFiles();
      return files.refused;
    };
    expect(problemAt(fromMs - 1)).toBe(
      `${pair.cert}: is valid from ${new Date(fromMs).toISOString()}, which is still to come`,
    );
    expect([problemAt(fromMs), results]).toEqual([null, ['refused', 'taken']]);
    renew(room.issue({ until: new Date(untilMs) }), pair);
    now = untilMs;
    looked(files);
    expect(files.refused).toBe(`${pair.cert}: has expired on ${new Date(untilMs).toISOString()}; renew it`);
  });

  it('remind at once of a renewed certificate that expires soon as well', () => {
    const pair = room.issue({ until: new Date(Date.now() + 5 * DAY_MS) });
    const { files, warnings } = openFiles(pair);
    expect(warnings).toHaveLength(1);
    renew(room.issue({ until: new Date(Date.now() + 7 * DAY_MS) }), pair);
    looked(files);
    expect(warnings.map((line) => (line as { days?: number }).days)).toEqual([4, 6]);
  });

  it('are judged by their shortest certificate', () => {
    const pair = room.issue();
    appendFileSync(pair.cert, readFileSync(room.issue({ until: new Date(Date.now() + 3 * DAY_MS) }).cert));
    expect(Math.round(openFiles(pair).files.expiryDays)).toBe(3);
  });
});
