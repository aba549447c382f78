import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Verifier } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import {
  hostileJobs,
  knownJobs,
  signatureChecksContract,
  wrongAnswers,
} from '@gridtokenx/testing-kit/contracts/signature-checks';
import { verifier } from '@gridtokenx/testing-kit/oracle/ledger';
import { fixedRandom, VirtualClock } from '@gridtokenx/testing-kit/virtual-clock';
import { describe, expect, it } from 'vitest';
import { BATCH_JOBS, Batch, Said } from '../../src/adapters/sodium/batch.js';
import { inThread } from '../../src/adapters/sodium/in-thread.js';
import { openChecks, type Thread, usualThreads, VerifyThreads } from '../../src/adapters/sodium/threads.js';
import type { SignatureChecks } from '../../src/domain/intake/ports.js';
import { testLogger } from '../support/time.js';

const WORKER = new URL('../../dist/adapters/sodium/worker.js', import.meta.url);
const spawnReal = (memories: readonly SharedArrayBuffer[]) =>
  new Worker(WORKER, { workerData: { memories }, execArgv: [] });

/** Counts what is checked in the asking thread. */
function counting(): Verifier & { count: number } {
  const counter = {
    name: verifier.name,
    count: 0,
    verify(signature: Uint8Array, message: Uint8Array, key: Uint8Array) {
      counter.count++;
      return verifier.verify(signature, message, key);
    },
  };
  return counter;
}

/** Threads from the build, ready; `workers` has every one that was started. */
async function realThreads(threads: number) {
  const workers: Worker[] = [];
  const here = counting();
  const logger = testLogger();
  const checks = new VerifyThreads({
    threads,
    verifier: here,
    clock: systemClock,
    random: fixedRandom(),
    logger,
    spawn: (memories) => {
      const worker = spawnReal(memories);
      workers.push(worker);
      return worker;
    },
  });
  await until(() => checks.ready === threads);
  return { checks, workers, here, logger };
}

async function until(isSo: () => boolean, ms = 30_000): Promise<void> {
  const end = performance.now() + ms;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${isSo}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type Behaviour = (batch: Batch, memory: SharedArrayBuffer, thread: ActedThread) => void;

/** A thread played by the test: says that it is ready, and does to each batch what `behaviour` says. */
class ActedThread extends EventEmitter implements Thread {
  readonly memories: readonly SharedArrayBuffer[];
  readonly batches: readonly Batch[];
  readonly #behaviour: Behaviour;
  isTerminated = false;

  constructor(memories: readonly SharedArrayBuffer[], behaviour: Behaviour) {
    super();
    this.memories = memories;
    this.batches = memories.map((memory) => new Batch(memory));
    this.#behaviour = behaviour;
  }
  postMessage(number: number): void {
    const [batch, memory] = [this.batches[number], this.memories[number]];
    queueMicrotask(() => {
      if (!batch || !memory) throw new Error(`no batch ${number}`);
      this.#behaviour(batch, memory, this);
      this.emit('message', 'answered');
    });
  }
  async terminate(): Promise<number> {
    this.isTerminated = true;
    return 1;
  }
  unref(): void {}
}

/** Threads that behave so, by a clock that the test moves. */
function actedThreads(behaviour: Behaviour, threads = 2, isReady = true) {
  const clock = new VirtualClock({ startAtMs: 1_000_000 });
  const here = counting();
  const logger = testLogger();
  const started: ActedThread[] = [];
  const checks = new VerifyThreads({
    threads,
    verifier: here,
    clock: clock,
    random: fixedRandom(),
    logger,
    spawn: (memories) => {
      const thread = new ActedThread(memories, behaviour);
      started.push(thread);
      return thread;
    },
  });
  const ready = () => {
    for (const thread of started) if (!thread.isTerminated) thread.emit('message', 'ready');
  };
  if (isReady) ready();
  return { checks, clock, here, logger, started, ready };
}

const honest: Behaviour = (batch) => batch.answer((...job) => verifier.verify(...job));
/** Writes each answer and marks the batch as answered, in the layout of the shared memory. */
function say(memory: SharedArrayBuffer, said: (at: number) => number): void {
  const bytes = new Uint8Array(memory, 8 + BATCH_JOBS, BATCH_JOBS);
  for (let at = 0; at < BATCH_JOBS; at++) bytes[at] = said(at);
  Atomics.store(new Int32Array(memory, 0, 1), 0, 1);
}

signatureChecksContract('in the asking thread', async () => inThread(verifier));
signatureChecksContract('on one thread', async () => (await realThreads(1)).checks);
signatureChecksContract('on three threads', async () => (await realThreads(3)).checks);
signatureChecksContract('on threads that are not up yet', async () => actedThreads(honest, 2, false).checks);

describe('control: the contract finds', () => {
  const lying = (verify: Verifier['verify']): SignatureChecks => inThread({ name: 'lying', verify });

  it('checks that take everything, refuse everything, or take small-order keys', async () => {
    const [hostile, known] = [hostileJobs(), knownJobs(100)];
    for (const faulty of [lying(() => true), lying(() => false)]) {
      expect(await wrongAnswers(faulty, hostile, 10)).toBeGreaterThan(0);
      expect(await wrongAnswers(faulty, known, 10)).toBeGreaterThan(0);
    }
  });

  it('answers in the place of a neighbour', async () => {
    const shifted: SignatureChecks = {
      ...inThread(verifier),
      ask: (jobs, answered) =>
        inThread(verifier).ask(jobs, (valid) => answered([...valid.slice(1), ...valid.slice(0, 1)])),
    };
    expect(await wrongAnswers(shifted, knownJobs(100), 20)).toBeGreaterThan(0);
  });

  it.each([Said.valid, Said.invalid])('a thread that says %i of everything: its answers do count', async (said) => {
    const { checks, here } = actedThreads((_batch, memory) => say(memory, () => said));
    const known = knownJobs(100);
    const wrong = known.filter(({ isValid }) => isValid !== (said === Said.valid)).length;
    expect(await wrongAnswers(checks, known, 10)).toBe(wrong);
    expect(here.count).toBe(0);
    await checks.close();
  });
});

describe('signature checks on threads', () => {
  it('control: threads do the work when they are well', async () => {
    const { checks, here } = actedThreads(honest);
    expect(await wrongAnswers(checks, knownJobs(400), 20)).toBe(0);
    expect(here.count).toBe(0);
    await checks.close();
  });

  const faults: [string, Behaviour][] = [
    ['says nothing and claims to have answered', (_batch, memory) => say(memory, () => 0)],
    ['answers garbage', (_batch, memory) => say(memory, (at) => 3 + (at % 253))],
    ['stops half way through a batch and claims to have answered', (batch, memory) => halfAnswered(batch, memory)],
    ['ends without an answer', (_batch, _memory, thread) => thread.emit('exit', 1)],
    [
      'fails and ends after answering',
      (batch, _memory, thread) => {
        honest(batch, _memory, thread);
        thread.emit('error', new Error('broken'));
        thread.emit('exit', 1);
      },
    ],
  ];
  it.each(faults)('a thread that %s leaves no verdict of its own', async (_name, behaviour) => {
    const { checks } = actedThreads(behaviour);
    expect(await wrongAnswers(checks, knownJobs(700), 20)).toBe(0);
    expect(await wrongAnswers(checks, hostileJobs(), 20)).toBe(0);
    await checks.close();
  });

  it('a thread that hangs is given up, what it had is checked here, and what it says later means nothing', async () => {
    const { checks, clock, here, logger, started, ready } = actedThreads(() => undefined, 1);
    const known = knownJobs(100);
    const answers = wrongAnswers(checks, known, 10);
    await new Promise((resolve) => setImmediate(resolve));
    expect(here.count).toBe(0);
    clock.advanceNow(10_000);
    expect(await answers).toBe(0);
    expect(here.count).toBe(100);
    expect(started[0]?.isTerminated).toBe(true);
    expect(logger.lines).toHaveLength(1);
    // Another thread took its place with memory of its own. The old one wakes up and takes everything for good.
    expect(started).toHaveLength(2);
    ready();
    const later = wrongAnswers(checks, known, 10);
    for (const memory of started[0]?.memories ?? []) say(memory, () => Said.valid);
    started[0]?.emit('message', 'answered');
    started[0]?.emit('message', 'ready');
    started[0]?.emit('exit', 1);
    clock.advanceNow(10_000);
    expect(await later).toBe(0);
    await checks.close();
    expect(clock.pending).toBe(0);
  });

  it('a thread that never proves its verifier is asked nothing, and is given up', async () => {
    const { checks, clock, here, logger, started } = actedThreads(
      (_batch, memory) => say(memory, () => Said.valid),
      1,
      false,
    );
    expect(await wrongAnswers(checks, knownJobs(100), 10)).toBe(0);
    expect(here.count).toBe(100);
    clock.advanceNow(31_000);
    expect(logger.lines).toHaveLength(1);
    expect(started).toHaveLength(2);
    await checks.close();
    expect(clock.pending).toBe(0);
  });

  it('what waits is bounded: above it the asking thread works too', async () => {
    const { checks, here } = actedThreads(() => undefined, 2);
    let answers = 0;
    for (const { job } of knownJobs(3_000)) checks.ask([job], () => answers++);
    // Two threads hold at most four batches each, and 512 jobs wait.
    expect(answers).toBeGreaterThanOrEqual(3_000 - 2 * 4 * BATCH_JOBS - 512);
    expect(here.count).toBe(answers);
    checks.finish();
    expect(answers).toBe(3_000);
    await checks.close();
  });

  it('a thread that is killed at any moment costs no verdict, and another one takes its place', async () => {
    const { checks, workers, logger } = await realThreads(2);
    const known = knownJobs(600);
    for (let kill = 0; kill < 2; kill++) {
      const answers = wrongAnswers(checks, known, 3);
      await workers[kill]?.terminate();
      expect(await answers).toBe(0);
    }
    await until(() => logger.lines.length === 2);
    expect(await wrongAnswers(checks, known, 3)).toBe(0);
    await until(() => checks.ready === 2);
    expect(workers).toHaveLength(4);
    expect(await wrongAnswers(checks, known, 20)).toBe(0);
    await checks.close();
  });

  it('control: threads of the build really check, not only the asking thread', async () => {
    const { checks, here } = await realThreads(1);
    expect(await wrongAnswers(checks, knownJobs(200), 20)).toBe(0);
    expect(here.count).toBeLessThan(200);
    await checks.close();
  });

  it('without threads there are none; the usual number leaves a core to the main thread', () => {
    const deps = {
      verifier,
      clock: new VirtualClock(),
      random: fixedRandom(),
      logger: testLogger(),
      spawn: spawnReal,
    };
    expect(openChecks({ ...deps, threads: 0 }).threads).toBe(0);
    expect(usualThreads()).toBeGreaterThanOrEqual(1);
    expect(usualThreads()).toBeLessThanOrEqual(4);
  });
});

/** Answers the first half of the places, right, and says that all are answered. */
function halfAnswered(batch: Batch, memory: SharedArrayBuffer): void {
  batch.answer((...job) => verifier.verify(...job));
  const bytes = new Uint8Array(memory, 8 + BATCH_JOBS, BATCH_JOBS);
  bytes.fill(0, BATCH_JOBS / 4);
}
