import type { Register } from '../../profiles/register.js';
import { type Block, holds } from '../../profiles/sample.js';
import type { SunspecRead } from '../../profiles/sunspec-walk.js';
import type { ReadVariant } from '../bus/bus.js';
import { ModbusCode, REFUSES_READ } from '../bus/exceptions.js';
import { ReadLength } from '../bus/read-length.js';
import type { Read, Reply, UnitReader } from './unit-prober.js';

/** A rest that is longer than this is worth another question, ms. */
const WORTH_MS = 500;

/** Records what one unit answered and refused, so that no question repeats. */
export class UnitNotes {
  readonly talk: UnitReader;
  readonly blocks: Block[];
  readonly silent = new Set<string>();
  /** Reads that brought data, as they were asked. */
  readonly #answered: Read[] = [];
  readonly #refused = new Set<string>();
  readonly #silentReads = new Set<string>();
  readonly #refusedFunctions = new Set<number>();
  readonly #tooLong = new Map<string, Read>();

  constructor(talk: UnitReader, known: readonly Block[]) {
    this.talk = talk;
    this.blocks = [...known];
  }

  /** Returns true when every register was read. */
  holds(registers: readonly Register[]): boolean {
    return registers.every((register) => this.blocks.some((block) => holds(block, register)));
  }

  refused(read: Read): boolean {
    return this.#refusedFunctions.has(read.fn) || this.#refused.has(keyOf(read));
  }

  wasSilent(read: Read): boolean {
    return this.#silentReads.has(keyOf(read));
  }

  /** Returns true for a read that the unit refused and may answer in parts. */
  wasTooLong(read: Read): boolean {
    return this.#tooLong.has(keyOf(read));
  }

  /** Returns the lengths that the unit answers, and those that it refuses although it has the registers. */
  lengths(): ReadLength {
    const lengths = new ReadLength();
    for (const { variants } of this.#answered) lengths.answered(variants[0]?.count ?? 0);
    for (const { fn, variants } of this.#tooLong.values()) {
      const [first] = variants;
      if (first && this.#hasAnsweredParts(fn, first)) lengths.refused(first.count);
    }
    return lengths;
  }

  /** Returns true when the unit answered shorter reads at both ends of a read. */
  #hasAnsweredParts(fn: number, { address, count }: ReadVariant): boolean {
    const isHeld = (at: number) =>
      this.blocks.some(
        (block) => block.function === fn && block.address <= at && at < block.address + block.data.length / 2,
      );
    return isHeld(address) && isHeld(address + count - 1);
  }

  async ask(read: Read, profile: string): Promise<Reply> {
    if (this.refused(read)) return { what: 'silence' };
    const reply = await this.talk.read(read);
    if (reply.what === 'data') {
      this.blocks.push({ function: read.fn, address: reply.address, data: reply.data });
      this.#answered.push({ fn: read.fn, variants: [{ address: reply.address, count: reply.data.length / 2 }] });
      return reply;
    }
    this.#refused.add(keyOf(read));
    if (reply.what === 'silence') {
      this.silent.add(profile);
      this.#silentReads.add(keyOf(read));
    } else if (reply.code === ModbusCode.illegalFunction) this.#refusedFunctions.add(read.fn);
    else if (REFUSES_READ.includes(reply.code)) this.#tooLong.set(keyOf(read), read);
    return reply;
  }

  /**
   * Asks for what the unit has. A length that was the last one asked rests for a whole quarantine; after another read,
   * which is known to be answered, for a time-out only.
   */
  async askSoon(read: Read, profile: string): Promise<Reply> {
    if (this.talk.restMs(read) > WORTH_MS) {
      const lengths = new Set(read.variants.map(({ count }) => `${read.fn} ${count}`));
      const other = this.#answered.find(
        ({ fn, variants: [choice] }) =>
          !lengths.has(`${fn} ${choice?.count}`) && this.talk.restMs({ fn, variants: choice ? [choice] : [] }) === 0,
      );
      if (other) await this.talk.read(other);
    }
    return this.ask(read, profile);
  }

  /**
   * Registers of a SunSpec list, also by a longer read, which does not have to wait: behind the marker stands the
   * first model's header; before any other header stands what was read already.
   */
  async header({ address, count }: SunspecRead, isMarker: boolean): Promise<Uint8Array | null> {
    const more = [0, 1, 2];
    const variants = more.map((by) => ({ address: isMarker ? address : address - by, count: count + by }));
    if (this.refused({ fn: 3, variants })) return null;
    const reply = await this.ask({ fn: 3, variants }, 'sunspec');
    if (reply.what !== 'data') return null;
    const from = 2 * (address - reply.address);
    return reply.data.subarray(from, from + 2 * count);
  }
}

function keyOf({ fn, variants: [first] }: Read): string {
  return `${fn} ${first?.address} ${first?.count}`;
}
