import { join } from 'node:path';
import { decodePayload, fromHex, Kind, parseSign1, shortHash, toHex } from '@gridtokenx/protocol';
import { readSpool } from '../../kill/evidence.js';
import type { Orders } from './attacker.js';

/** Returns the state of a home's key, from its gateway's signed and stored messages. */
export function standingOf(data: string, home: number): Orders['standing'] {
  const { messages } = readSpool(join(data, `homes/home-${home}/data/spool`));
  const payloads = [...messages.values()].map((hex) => parseSign1(fromHex(hex)).payload);
  const signed = payloads.map((bytes) => ({ bytes, payload: decodePayload(bytes) }));
  signed.sort((a, b) => (a.payload.seq < b.payload.seq ? -1 : 1));
  const last = signed.at(-1);
  const chained = signed.findLast(({ payload }) => payload.kind === Kind.reading || payload.kind === Kind.event);
  const enrolment = signed.findLast(({ payload }) => payload.kind === Kind.enrolment)?.payload;
  const reading = signed.findLast(({ payload }) => payload.kind === Kind.reading)?.payload;
  const statement = signed.findLast(({ payload }) => payload.kind === Kind.statement)?.payload;
  if (!last || enrolment?.kind !== Kind.enrolment) throw new Error(`home ${home} has signed nothing`);
  const registers = reading?.kind === Kind.reading ? reading : enrolment;
  return {
    seq: String(last.payload.seq),
    prev: toHex(chained ? shortHash(chained.bytes) : new Uint8Array(16)),
    importWh: String(registers.importWh),
    exportWh: String(registers.exportWh),
    window: statement?.kind === Kind.statement ? statement.window : enrolment.window,
  };
}
