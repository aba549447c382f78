import { lstatSync, symlinkSync, unlinkSync } from 'node:fs';
import type { Clock } from '@gridtokenx/runtime/core';
import { systemClock } from '@gridtokenx/runtime/node/system';
import { rtuFramer } from '../modbus-frames.js';
import { rtuCarrier } from './carrier.js';
import { type Chance, seededChance } from './chance.js';
import { openLinuxPty } from './linux-pty.js';
import { type LineMeter, MeterLine, type Parity, type SecondMaster } from './meter-line.js';
import { type OpenPty, PtyError } from './pty.js';

export interface PtyBusOptions {
  readonly meters: readonly LineMeter[];
  /** Path of a link to the device while the bus is there; replaces an existing link. */
  readonly link?: string;
  /**
   * Returns the parity that the master is assumed to have set, since a pty cannot show it. Null: any parity matches.
   */
  readonly masterParity?: () => Parity | null;
  readonly gatherMs?: number;
  /** True: the adapter receives its own characters, so every request comes back. */
  readonly echo?: boolean;
  readonly secondMaster?: SecondMaster;
  /** For tests; default: a real pseudo-terminal, the machine's clock. */
  readonly open?: OpenPty;
  readonly time?: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly chance?: Chance;
}

/** A serial bus with simulated meters, on a device that any Modbus master can open. */
export interface PtyBus {
  /** The device, or the link to it. */
  readonly path: string;
  /** Counts of `requests`, `writes`, `unheard` and `answered`. */
  readonly line: MeterLine;
  /** Returns the speed that the master has set now, baud. */
  masterBaud(): number;
  /** Unplugs the bus and removes the link. */
  close(): Promise<void>;
}

/** Silence that ends a frame, ms. */
const SILENCE_MS = 20;

/**
 * Starts meters on one pseudo-terminal: each answers at its own speed only. Throws `PtyError` where the system has no
 * pseudo-terminal.
 */
export function startPtyBus(options: PtyBusOptions): PtyBus {
  const { meters, link, masterParity = () => null, time = systemClock, chance = seededChance(1) } = options;
  if (link !== undefined) removeLink(link);
  const pty = (options.open ?? openLinuxPty)();
  const line = new MeterLine({
    meters,
    carrier: rtuCarrier,
    master: () => ({ baud: pty.baud(), parity: masterParity() }),
    time,
    chance,
    ...(options.gatherMs === undefined ? {} : { gatherMs: options.gatherMs }),
    echo: options.echo ?? false,
    ...(options.secondMaster ? { secondMaster: options.secondMaster } : {}),
  });
  const reply = { say: (bytes: Uint8Array) => pty.write(bytes), end: () => {} };
  let framer = rtuFramer();
  let baud = pty.baud();
  let cancel = () => {};
  pty.onBytes((bytes) => {
    cancel();
    // Bytes received at another speed are no part of this frame.
    if (pty.baud() !== baud) framer = rtuFramer();
    baud = pty.baud();
    for (const request of framer.push(bytes) ?? []) line.ask(request, reply);
    cancel = time.after(SILENCE_MS, () => {
      for (const request of framer.silence()) line.ask(request, reply);
    });
  });
  line.startSecondMaster(reply);
  if (link !== undefined) symlinkSync(pty.path, link);
  return {
    path: link ?? pty.path,
    line,
    masterBaud: () => pty.baud(),
    async close() {
      cancel();
      line.close();
      if (link !== undefined) removeLink(link);
      await pty.close();
    },
  };
}

/** Removes a link, and nothing else. */
function removeLink(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSymbolicLink()) throw new PtyError(`${path} is there and is no link`, 'choose another path for the bus');
  unlinkSync(path);
}
