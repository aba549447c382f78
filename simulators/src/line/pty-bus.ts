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
  /** A link with this path leads to the device while the bus is there; a link that is there already is replaced. */
  readonly link?: string;
  /** Parity that the master is taken to have set: a pty cannot show it, so it is said here. Null: whatever fits. */
  readonly masterParity?: () => Parity | null;
  readonly gatherMs?: number;
  /** The adapter hears itself: every request comes back. */
  readonly echo?: boolean;
  readonly secondMaster?: SecondMaster;
  /** For tests; default: a real pseudo-terminal, the machine's clock. */
  readonly open?: OpenPty;
  readonly time?: Pick<Clock, 'monotonicMs' | 'after'>;
  readonly chance?: Chance;
}

/** A serial bus with simulated meters, at a device that any Modbus master can open. */
export interface PtyBus {
  /** The device, or the link that leads to it. */
  readonly path: string;
  /** What was asked, and how often: `requests`, `writes`, `unheard`, `answered`. */
  readonly line: MeterLine;
  /** Speed that the master has set now. */
  masterBaud(): number;
  /** Unplugs the bus; the link goes too. */
  close(): Promise<void>;
}

/** After so much silence what was received of a frame is all there is; ms. */
const SILENCE_MS = 20;

/** Meters on one pseudo-terminal: each answers at its own speed only. Throws `PtyError` where there is none to be had. */
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
    // What came at another speed is no part of this frame.
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

/** Takes a link away; nothing else is touched. */
function removeLink(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSymbolicLink()) throw new PtyError(`${path} is there and is no link`, 'choose another path for the bus');
  unlinkSync(path);
}
