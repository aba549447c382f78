/** Bounds the bytes of a packet, fixed header included. */
export interface FrameLimits {
  /** PUBLISH. */
  readonly publish: number;
  /** The first packet, which a stranger sends. */
  readonly first: number;
  /** All other packets: each filter that SUBSCRIBE and UNSUBSCRIBE name costs work. */
  readonly control: number;
}

const PUBLISH = 3;

/**
 * Follows the packet boundaries in a stream of MQTT bytes and keeps none of the bytes. Counts packets. Notices a packet that
 * announces more than the limit before its body is read (MQTT 3.1.1, section 2.2.3 Remaining Length).
 */
export class FrameMeter {
  readonly #limits: FrameLimits;
  #isFirst = true;
  /** Limit of the present packet. */
  #limit = 0;
  #state: 'header' | 'length' | 'body' = 'header';
  #length = 0;
  #shift = 0;
  #headerBytes = 0;
  #left = 0;

  constructor(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** Reads the next bytes. Returns how many packets began in them, or null for an oversize or malformed length. */
  feed(bytes: Uint8Array): number | null {
    let packets = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#state === 'body') {
        const step = Math.min(this.#left, bytes.length - at);
        at += step;
        this.#left -= step;
        if (this.#left === 0) this.#state = 'header';
        continue;
      }
      const byte = bytes[at] ?? 0;
      at++;
      if (this.#state === 'header') {
        packets++;
        this.#begin(byte >> 4);
        continue;
      }
      if (!this.#lengthByte(byte)) return null;
    }
    return packets;
  }

  #begin(type: number): void {
    const { publish, first, control } = this.#limits;
    this.#limit = this.#isFirst ? first : type === PUBLISH ? publish : control;
    this.#isFirst = false;
    this.#state = 'length';
    this.#length = 0;
    this.#shift = 0;
    this.#headerBytes = 1;
  }

  #lengthByte(byte: number): boolean {
    this.#headerBytes++;
    if (this.#headerBytes > 5) return false;
    this.#length += (byte & 0x7f) * 2 ** this.#shift;
    this.#shift += 7;
    if (this.#length + this.#headerBytes > this.#limit) return false;
    if ((byte & 0x80) === 0) {
      this.#left = this.#length;
      this.#state = this.#left === 0 ? 'header' : 'body';
    }
    return true;
  }
}
