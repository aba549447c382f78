import type { Disk } from '../../domain/ports.js';

/**
 * Holds bytes of the disk for statements, events and states. A full disk frees them; readings are written again only once
 * the reserve is whole.
 */
export class Reserve {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #bytes: number;
  #isHeld = false;

  /** `bytes`: 0 holds nothing. */
  constructor(disk: Disk, dir: string, bytes: number) {
    this.#disk = disk;
    this.#path = `${dir}/reserve`;
    this.#bytes = bytes;
  }

  /** Takes the bytes from the disk. Rejects with the disk's error, and then holds nothing. */
  async hold(): Promise<void> {
    if (this.#isHeld || this.#bytes === 0) return;
    if ((await this.#disk.size(this.#path)) !== this.#bytes) {
      try {
        await this.#disk.replace(this.#path, new Uint8Array(this.#bytes).fill(0xa5));
      } catch (error) {
        await this.#disk.remove(`${this.#path}.new`).catch(() => {});
        throw error;
      }
    }
    this.#isHeld = true;
  }

  /** Gives the bytes to whoever writes next. Returns true where there were some. Never rejects. */
  async free(): Promise<boolean> {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    return this.#disk.remove(this.#path).then(
      () => true,
      () => false,
    );
  }
}
