import type { Clock } from '@gridtokenx/runtime/core';
import type { ExamineTimes } from '../../domain/doctor/observation.js';

/** The result of one look. `unseen`: nobody looked, and the text says why. `note`: harmless. */
export interface Check {
  readonly level: 'well' | 'problem' | 'note' | 'unseen';
  readonly where: string;
  readonly text: string;
}

/** The machine as the doctor looks at it; tests stage faults here that a machine cannot have on demand. */
export interface DoctorPorts {
  readonly clock: Clock;
  /** Resolves when a host name has an address. Rejects with the system's error. */
  readonly lookup: (host: string) => Promise<void>;
  /** Makes and removes a file in a folder. Throws the system's error. */
  readonly probeFolder: (folder: string) => void;
  /** Returns the free bytes of a folder's disk. Throws the system's error. */
  readonly freeBytes: (folder: string) => number;
  /** Returns the service that keeps the machine's clock right; null without one. */
  readonly timeService: () => Promise<'chrony' | 'timesyncd' | null>;
  readonly times?: ExamineTimes;
  /** Time in which retained acks arrive after a subscription, ms. Default 1,500. */
  readonly acksMs?: number;
}

export const well = (where: string, text: string): Check => ({ level: 'well', where, text });
export const problem = (where: string, text: string): Check => ({ level: 'problem', where, text });
export const note = (where: string, text: string): Check => ({ level: 'note', where, text });
export const unseen = (where: string, why: string): Check => ({ level: 'unseen', where, text: why });

/** Returns a check as one line for a person. */
export function checkLine({ level, where, text }: Check): string {
  switch (level) {
    case 'well':
      return `${where}: well (${text})`;
    case 'problem':
      return `${where}: ${text}`;
    case 'note':
      return `note: ${where}: ${text}`;
    case 'unseen':
      return `${where}: not looked at: ${text}`;
  }
}
