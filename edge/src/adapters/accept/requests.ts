import { join } from 'node:path';
import { asMeterId, type MeterId } from '@gridtokenx/protocol';
import type { Disk } from '../../domain/ports.js';

/** A person's request to accept the registers of a meter. */
export interface AcceptRequest {
  readonly meterId: MeterId;
  readonly reason: string;
}

/** The gateway's answer. `problem`: says why nothing was accepted; null when it is done. */
export interface AcceptAnswer {
  readonly problem: string | null;
}

const REQUEST = /^accept-([0-9a-f]{32})\.json$/;
export const MAX_REASON = 200;

/**
 * Passes requests of `accept-register` to the gateway that works in the directory, by files in its state folder: only a
 * user who may write there can ask. Files are replaced as a whole, so a crash loses or repeats nothing.
 */
export class AcceptRequests {
  readonly #disk: Pick<Disk, 'list' | 'read' | 'replace' | 'remove'>;
  readonly #dir: string;

  /** `dir`: the folder of the state files. */
  constructor(disk: Pick<Disk, 'list' | 'read' | 'replace' | 'remove'>, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  /** Stores a request, and removes an earlier answer. Rejects with the disk's error. */
  async ask({ meterId, reason }: AcceptRequest): Promise<void> {
    if ((await this.#disk.read(this.#answerPath(meterId))) !== null) await this.#disk.remove(this.#answerPath(meterId));
    await this.#write(this.#path(meterId), { version: 1, reason });
  }

  /** Returns the answer to a request; null while there is none. Rejects with the disk's error. */
  async answer(meterId: MeterId): Promise<AcceptAnswer | null> {
    const found = parse(await this.#disk.read(this.#answerPath(meterId)));
    if (found?.version !== 1) return null;
    return { problem: typeof found.problem === 'string' ? found.problem : null };
  }

  /** Lists the requests that wait. A file that is no request is answered with that. Rejects with the disk's error. */
  async waiting(): Promise<AcceptRequest[]> {
    const requests: AcceptRequest[] = [];
    for (const name of await this.#disk.list(this.#dir)) {
      const id = REQUEST.exec(name)?.[1];
      if (id === undefined) continue;
      const meterId = asMeterId(id);
      const bytes = await this.#disk.read(this.#path(meterId)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EACCES' || error.code === 'EPERM') return undefined;
        throw error;
      });
      if (bytes === undefined) {
        // Another user, such as root, asked: the gateway owns the folder, but not the file.
        await this.settle(meterId, {
          problem: 'the gateway may not read the request: run it as the user of the gateway',
        });
        continue;
      }
      const found = parse(bytes);
      const reason = found?.version === 1 ? found.reason : undefined;
      if (typeof reason === 'string' && reason !== '') requests.push({ meterId, reason: reason.slice(0, MAX_REASON) });
      else await this.settle(meterId, { problem: 'the request is damaged: run "accept-register" again' });
    }
    return requests;
  }

  /** Stores the answer, then removes the request. Rejects with the disk's error. */
  async settle(meterId: MeterId, { problem }: AcceptAnswer): Promise<void> {
    await this.#write(this.#answerPath(meterId), { version: 1, problem });
    await this.#disk.remove(this.#path(meterId));
  }

  #path(meterId: MeterId): string {
    return join(this.#dir, `accept-${meterId}.json`);
  }

  #answerPath(meterId: MeterId): string {
    return join(this.#dir, `accept-${meterId}.answer.json`);
  }

  #write(path: string, content: object): Promise<void> {
    return this.#disk.replace(path, Buffer.from(`${JSON.stringify(content)}\n`));
  }
}

/** Parses a file of this folder; null for none and for anything but an object. */
function parse(bytes: Uint8Array | null): Record<string, unknown> | null {
  if (!bytes) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
