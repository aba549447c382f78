import { fromHex, verifyVectors } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node/sodium';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SignatureChecks, VerifyJob } from '#oracle/domain/intake/ports.js';
import { signerOf } from '../signed-journal.js';

const verifier = provedVerifier();

/** A job with the answer that it must have. */
export interface KnownJob {
  readonly job: VerifyJob;
  readonly isValid: boolean;
}

/** Returns the verifier's answer to each job, in the thread of the test. */
function expectedOf(jobs: readonly VerifyJob[]): boolean[] {
  return jobs.map(({ signature, message, key }) => verifier.verify(signature, message, key));
}

/** Returns `count` jobs over several keys; every third has a flipped bit in key, signature or message. */
export function knownJobs(count: number): KnownJob[] {
  return mixed(count).map((job, i) => ({ job, isValid: i % 3 !== 0 }));
}

/** Returns the golden cases, and keys, signatures and messages of wrong lengths. */
export function hostileJobs(): KnownJob[] {
  const golden = verifyVectors.map(({ signature, message, publicKey, valid }) => ({
    job: { signature: fromHex(signature), message: fromHex(message), key: fromHex(publicKey) },
    isValid: valid,
  }));
  const [good] = mixed(2).slice(1);
  if (!good) throw new Error('no job');
  const bent = [
    ...[0, 1, 63, 65, 128].map((length) => ({ ...good, signature: new Uint8Array(length).fill(1) })),
    ...[0, 31, 33, 64].map((length) => ({ ...good, key: new Uint8Array(length).fill(1) })),
    { ...good, message: Uint8Array.of(...good.message, 0) },
    { ...good, message: good.message.subarray(0, 114) },
  ];
  return [...golden, ...bent.map((job) => ({ job, isValid: false })), { job: good, isValid: true }];
}

/** Requests groups of `size` jobs, all at once. Resolves with the number of wrong answers. */
export async function wrongAnswers(checks: SignatureChecks, known: readonly KnownJob[], size: number): Promise<number> {
  const groups: KnownJob[][] = [];
  for (let at = 0; at < known.length; at += size) groups.push(known.slice(at, at + size));
  const wrong = await Promise.all(
    groups.map(async (group) => {
      const answers = await answersOf(
        checks,
        group.map(({ job }) => job),
      );
      return group.filter(({ isValid }, i) => answers[i] !== isValid).length;
    }),
  );
  return wrong.reduce((sum, n) => sum + n, 0);
}

/** Returns `count` jobs; of every three valid jobs the first has a bit flipped. `salt` makes other messages. */
function mixed(count: number, salt = 0, length = 115): VerifyJob[] {
  return Array.from({ length: count }, (_, i) => {
    const signer = signerOf((i % 5) + 1);
    const message = new Uint8Array(length).map((_, at) => (at * 7 + i + salt * 13) & 0xff);
    const job = { signature: signer.sign(message), message, key: signer.publicKey.slice() };
    if (i % 3 === 0) {
      const part = [job.signature, job.message, job.key][(i / 3) % 3] ?? message;
      const at = (i * 11 + salt) % Math.max(1, part.length);
      part[at] = (part[at] ?? 0) ^ (1 << (i % 8));
    }
    return job;
  });
}

/** Resolves with the answers; rejects when they do not arrive within `ms`. */
function answersOf(checks: SignatureChecks, jobs: readonly VerifyJob[], ms = 20_000): Promise<boolean[]> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    checks.ask(jobs, (valid) => {
      clearTimeout(deadline);
      resolve([...valid]);
    });
  });
}

/** Returns the answers of groups that are requested at once, and how often each was answered. */
async function askedAtOnce(checks: SignatureChecks, groups: readonly (readonly VerifyJob[])[]) {
  const calls = groups.map(() => 0);
  const answers = await Promise.all(
    groups.map((group, i) =>
      new Promise<readonly boolean[]>((resolve) => {
        checks.ask(group, (valid) => {
          calls[i] = (calls[i] ?? 0) + 1;
          resolve(valid);
        });
      }).then((valid) => [...valid]),
    ),
  );
  return { answers, calls };
}

/** Tests the contract of every implementation of `SignatureChecks`; `make` resolves when it is ready. */
export function signatureChecksContract(name: string, make: () => Promise<SignatureChecks>): void {
  describe(`signature checks: ${name}`, () => {
    let checks: SignatureChecks;
    beforeEach(async () => {
      checks = await make();
    });
    afterEach(() => checks.close());

    it('judges every golden case, and what has a wrong length, as it is to be judged', async () => {
      const hostile = hostileJobs();
      expect(hostile.filter(({ isValid }) => isValid).length).toBeGreaterThan(1);
      expect(await wrongAnswers(checks, hostile, 20)).toBe(0);
    });

    it('answers each job of a mixed lot for itself, more of them than fit anywhere at once', async () => {
      const jobs = mixed(1_500);
      const answers = await answersOf(checks, jobs);
      expect(answers).toEqual(expectedOf(jobs));
      expect(answers.filter((isValid) => isValid)).toHaveLength(1_000);
    });

    it('takes messages of any length, and refuses keys and signatures that have not theirs', async () => {
      const messages = [0, 1, 96, 114, 115, 116, 127, 128, 129, 4_097].flatMap((length) => mixed(3, 1, length));
      const [good] = mixed(3).slice(1);
      if (!good) throw new Error('no job');
      const bent = [0, 1, 63, 65, 128].map((n) => ({ ...good, signature: new Uint8Array(n).fill(1) }));
      const keys = [0, 31, 33, 64].map((n) => ({ ...good, key: new Uint8Array(n).fill(1) }));
      const longer = { ...good, message: Uint8Array.of(...good.message, 0) };
      const shorter = { ...good, message: good.message.subarray(0, 114) };
      const jobs = [...messages, ...bent, longer, ...keys, shorter, good];
      const answers = await answersOf(checks, jobs);
      expect(answers).toEqual(expectedOf(jobs));
      expect(answers.slice(-12)).toEqual([...Array.from({ length: 11 }, () => false), true]);
    });

    it('answers groups that were asked at once, each with its own answers and once', async () => {
      const groups = Array.from({ length: 60 }, (_, i) => mixed((i * 7) % 41, i));
      const { answers, calls } = await askedAtOnce(checks, groups);
      checks.finish();
      expect(answers).toEqual(groups.map(expectedOf));
      expect(new Set(calls)).toEqual(new Set([1]));
    });

    it('has answered everything when `finish` returns, and what is asked by those who are answered', () => {
      const jobs = mixed(200);
      let first: readonly boolean[] = [];
      let second: readonly boolean[] = [];
      checks.ask(jobs, (valid) => {
        first = valid;
        checks.ask(jobs.slice(0, 9), (again) => {
          second = again;
        });
      });
      checks.finish();
      expect([...first]).toEqual(expectedOf(jobs));
      expect([...second]).toEqual(expectedOf(jobs.slice(0, 9)));
    });

    it('answers what was asked before it closed, and what is asked afterwards', async () => {
      const before = answersOf(checks, mixed(90, 2));
      await checks.close();
      expect(await before).toEqual(expectedOf(mixed(90, 2)));
      expect(await answersOf(checks, mixed(9, 3))).toEqual(expectedOf(mixed(9, 3)));
    });
  });
}
