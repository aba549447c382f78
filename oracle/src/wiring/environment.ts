import { resolve } from 'node:path';
import { fromHex, type Signer, type Verifier } from '@gridtokenx/protocol';
import type { Clock, Logger, Random, ReadingClock } from '@gridtokenx/runtime/core';
import {
  nodeClockFile,
  provedVerifier,
  readSeedFile,
  SimulatedClockFile,
  sodiumSigner,
  systemClock,
  systemRandom,
  systemReadingClock,
} from '@gridtokenx/runtime/node';
import type { Config } from './config.js';

/** Names the command that makes a missing key file. */
export const MAKE_KEY = 'make it with "init --config FILE"';

/** Identity, time and paths that every part of the oracle uses. */
export interface Environment {
  readonly config: Config;
  /** Resolves a path of the configuration. */
  readonly path: (name: string) => string;
  readonly logger: Logger;
  readonly signer: Signer;
  readonly verifier: Verifier;
  /** 8 bytes. */
  readonly networkId: Uint8Array;
  /** Drives readings and windows. */
  readonly readingClock: ReadingClock;
  readonly clock: Clock;
  readonly randomness: Random;
}

/** Reads key and clock. Throws `OperatorError` for a file that cannot be used. */
export function openEnvironment(config: Config, directory: string, logger: Logger): Environment {
  const path = (name: string) => resolve(directory, name);
  const simulated = config.clock?.simulated;
  const reading: ReadingClock =
    simulated === undefined
      ? systemReadingClock(systemClock)
      : new SimulatedClockFile(path(simulated), systemClock, nodeClockFile, logger);
  return {
    ...{ config, path, logger, randomness: systemRandom, clock: systemClock },
    verifier: provedVerifier(),
    signer: sodiumSigner(readSeedFile(path(config.key_file), MAKE_KEY)),
    networkId: fromHex(config.network_id),
    readingClock: reading,
  };
}
