import { randomInt } from 'node:crypto';
import type { Clock, Logger, Random } from '@gridtokenx/runtime/core';
import { Bus } from '../../domain/bus/bus.js';
import type { BusOptions } from '../../domain/bus/bus-options.js';
import type { ReadRequest } from '../../domain/bus/frames.js';
import { RtuFraming, TcpFraming } from '../../domain/bus/framing.js';
import { rawNetworkSpeed, serialSpeed, tcpSpeed } from '../../domain/bus/line.js';
import type { ReplyQuarantine } from '../../domain/bus/reply-quarantine.js';
import type { BusStats } from '../../domain/bus/stats.js';

import { makeClient } from './library.js';
import { type SerialSettings, serialLine, socketLine } from './lines.js';

/** Address of a bus; the serial settings are those of the meters. */
export type BusAddress =
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number; readonly converter: boolean }
  | { readonly transport: 'rtu-over-tcp'; readonly host: string; readonly port: number }
  | ({ readonly transport: 'serial' } & SerialSettings);

export interface OpenBusOptions {
  readonly name: string;
  readonly address: BusAddress;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  /** Time-out of a unit before its first answers, real ms. */
  readonly requestMs: number;
  readonly connectMs: number;
  readonly stats?: BusStats;
  readonly giveUp?: (reason: string) => void;
  readonly quarantine: ReplyQuarantine;
  /** Lower bound of the time-out, ms. */
  readonly timeoutMinMs: number;
  readonly restMs?: number;
  /** Units of a direct TCP device that answer under another unit. */
  readonly anyUnits?: ReadonlySet<number>;
  readonly onAnswer?: (ask: ReadRequest, frame: Uint8Array) => void;
}

/** Lower bound for a meter with its own connection, ms: a long wait delays no other meter there. */
const MIN_TCP_TIMEOUT_MS = 500;
const TRANSACTION_IDS = 65_536;

/** Builds the bus at an address. Opens nothing before the first read. */
export function busAt({ address, timeoutMinMs, ...options }: OpenBusOptions): Bus {
  const isShared = address.transport !== 'tcp' || address.converter;
  const minTimeoutMs = isShared ? timeoutMinMs : Math.max(timeoutMinMs, MIN_TCP_TIMEOUT_MS);
  const rest: Omit<BusOptions, 'open' | 'speed' | 'makeFraming' | 'shapes'> = {
    ...options,
    makeClient,
    minTimeoutMs: Math.min(minTimeoutMs, options.requestMs),
  };
  switch (address.transport) {
    case 'tcp': {
      const { host, port, converter } = address;
      return new Bus({
        ...rest,
        open: socketLine(host, port),
        speed: tcpSpeed,
        shapes: converter,
        makeFraming: (quarantine) =>
          new TcpFraming(quarantine, converter, randomInt(TRANSACTION_IDS), options.anyUnits),
      });
    }
    case 'rtu-over-tcp':
      return new Bus({
        ...rest,
        open: socketLine(address.host, address.port),
        speed: rawNetworkSpeed,
        shapes: true,
        makeFraming: (quarantine) => new RtuFraming(quarantine),
      });
    case 'serial':
      return new Bus({
        ...rest,
        open: serialLine(address),
        speed: serialSpeed(address.baud, address.parity, address.stopBits),
        shapes: true,
        makeFraming: (quarantine) => new RtuFraming(quarantine),
      });
  }
}
