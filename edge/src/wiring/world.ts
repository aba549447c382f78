import type { Verifier } from '@gridtokenx/protocol';
import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import { type CertificateFiles, provedVerifier, systemClock, systemRandom } from '@gridtokenx/runtime/node';
import type { FloorTime } from '../adapters/clock/floor.js';
import { countedDisk, WriteCount } from '../adapters/disk/counted-disk.js';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { FrameRing } from '../adapters/frames/ring.js';
import { GatewayMetrics } from '../adapters/metrics.js';
import type { Bus } from '../domain/bus/bus.js';
import { BusStats } from '../domain/bus/stats.js';
import type { Disk } from '../domain/ports.js';
import { correctedClock, type GatewayClock, type GatewaySources, openReadingClock, timeSources } from './clocks.js';
import type { GatewayConfig } from './config.js';
import { openBuses } from './readers.js';
import { serverCertificate } from './secure.js';
import { framesDir } from './setup.js';
import { diskBudget } from './sizes.js';

/** Exit code after which a supervisor starts the gateway again. */
const GIVEN_UP = 75;

/** Holds the machine's services for the running gateway: clocks, randomness, log, metrics, frames, buses. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly readingClock: GatewayClock;
  /** Asks for the time. */
  readonly sources: GatewaySources;
  /** The machine's clock, corrected: for sign-in tokens and this machine's certificates. */
  readonly correctedClock: Clock;
  readonly verifier: Verifier;
  readonly certificate: CertificateFiles | undefined;
  readonly log: Logger;
  readonly metrics: GatewayMetrics;
  readonly frames: FrameRing;
  readonly buses: ReadonlyMap<string, Bus>;
  /** The machine's disk, whose writes are counted. */
  readonly disk: Disk;
  readonly writes: WriteCount;
}

/** Opens these services; opens no line before the first read. Throws `OperatorError`. */
export function openWorld(config: GatewayConfig, floor: FloorTime, log: Logger, signal: AbortSignal): World {
  const verifier = provedVerifier();
  const readingClock = openReadingClock(config, systemClock, floor);
  const corrected = correctedClock(readingClock, systemClock);
  const certificate = serverCertificate(config, corrected.nowMs, log, signal);
  const metrics = new GatewayMetrics();
  const { hourBytes, keptFiles } = diskBudget(config);
  const writes = new WriteCount(systemClock);
  const disk = countedDisk(nodeDisk, writes);
  const frames = new FrameRing({ disk, dir: framesDir(config), clock: systemClock, hourBytes, keptFiles });
  const buses = openBuses(config, systemClock, {
    log,
    keep: (frame) => frames.keep(frame),
    stats: (bus) => new BusStats((what) => metrics.add('bus', { bus, what })),
    // This very process holds the port that will not open again: the supervisor starts another process.
    giveUp: (reason) => {
      log.error(
        { event: 'serial_port_lost', reason },
        'Cannot reopen a serial port: the gateway exits, so that its supervisor restarts it',
      );
      process.exit(GIVEN_UP);
    },
  });
  const sources = timeSources(config, { clock: systemClock, random: systemRandom, verifier, log });
  return {
    sources,
    ...{ clock: systemClock, correctedClock: corrected, random: systemRandom, readingClock },
    ...{ verifier, certificate, log, metrics, frames, buses, disk, writes },
  };
}
