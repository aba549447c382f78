import { asWh, type Wh } from '@gridtokenx/protocol';
import { PublicKey } from '@solana/web3.js';

/** Little-endian writer of instruction data; throws a RangeError where a number does not fit its field. */
export class Writer {
  readonly #parts: Uint8Array[] = [];

  #number(size: number, value: bigint | number, set: (view: DataView, value: bigint) => void): this {
    const big = BigInt(value);
    if (big < 0n || big >= 1n << BigInt(8 * size)) throw new RangeError(`${value} does not fit ${size} bytes`);
    const out = new Uint8Array(size);
    set(new DataView(out.buffer), big);
    this.#parts.push(out);
    return this;
  }

  u8(value: number): this {
    return this.#number(1, value, (view, big) => view.setUint8(0, Number(big)));
  }
  u16(value: number): this {
    return this.#number(2, value, (view, big) => view.setUint16(0, Number(big), true));
  }
  u32(value: number): this {
    return this.#number(4, value, (view, big) => view.setUint32(0, Number(big), true));
  }
  u64(value: bigint): this {
    return this.#number(8, value, (view, big) => view.setBigUint64(0, big, true));
  }
  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }
  key(value: PublicKey): this {
    this.#parts.push(value.toBytes());
    return this;
  }
  keys(values: readonly PublicKey[]): this {
    for (const value of values) this.key(value);
    return this;
  }
  /** Exactly `size` bytes. */
  fixed(value: Uint8Array, size: number, name: string): this {
    if (value.length !== size) throw new RangeError(`${name} has ${size} bytes, not ${value.length}`);
    this.#parts.push(Uint8Array.from(value));
    return this;
  }
  raw(value: Uint8Array): this {
    this.#parts.push(Uint8Array.from(value));
    return this;
  }
  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** Little-endian reader of account data. */
export class Reader {
  readonly #view: DataView;
  readonly #data: Uint8Array;
  #at: number;

  constructor(data: Uint8Array, start = 0) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#at = start;
  }

  #step(size: number): number {
    const at = this.#at;
    this.#at += size;
    return at;
  }
  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#step(8), true);
  }
  /** A u64 of watt-hours. */
  wh(): Wh {
    return asWh(this.u64());
  }
  bytes(size: number): Uint8Array {
    const at = this.#step(size);
    return Uint8Array.from(this.#data.subarray(at, at + size));
  }
  key(): PublicKey {
    return new PublicKey(this.bytes(32));
  }
  keys(count: number): PublicKey[] {
    return Array.from({ length: count }, () => this.key());
  }
  skip(size: number): void {
    this.#step(size);
  }
}
