import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { base58Encode, EventCode, Kind, toHex, windowEndAtMs, windowStartAtMs } from '@gridtokenx/protocol';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { type Located, locateMessages } from '../adapters/spool/browse.js';
import { HEADER_BYTES } from '../adapters/spool/record.js';
import type { Disk } from '../domain/ports.js';
import { contentOf, type SignedMessage } from '../domain/signed-message.js';
import type { MeterState } from '../domain/signing/meter-state.js';
import type { GatewayConfig } from '../wiring/config.js';
import { StartError, spoolDir } from '../wiring/setup.js';
import { readState, stateDir } from '../wiring/states.js';
import { signerNamed, signersOf } from './signers.js';

export interface ExportOptions {
  /** ISO 8601 times in UTC; the end is excluded. */
  readonly from: string;
  readonly until: string;
  readonly meter?: string;
  readonly out: string;
}

/**
 * Writes the signed messages of a meter and a period for another party [wire §10.7]: a line with facts, then a line for
 * each message in hex, seqs rising. Changes nothing, so a gateway may run. Returns a sentence. Throws `StartError`.
 */
export async function exportMessages(config: GatewayConfig, options: ExportOptions): Promise<string> {
  const [fromMs, untilMs] = [timeOf('--from', options.from), timeOf('--until', options.until)];
  if (untilMs <= fromMs) throw new StartError('--until must be later than --from');
  const signer = signerNamed(await signersOf(config), options.meter);
  const dir = spoolDir(config);
  const all = await locateMessages(nodeDisk, dir, signer.meterId, (message) => isWithin(message, fromMs, untilMs));
  const span = spanOf(all);
  if (!span) throw new StartError(`the spool has no message of meter ${signer.name} in this period`);
  const places = all.filter(({ kind, seq }) => kind === Kind.enrolment || (seq >= span.first && seq <= span.last));
  const { offsets, accepted } = (await readState(nodeDisk, join(stateDir(config), `${signer.meterId}.json`))).state;
  const pair = ({ importWh, exportWh }: MeterState['offsets']) => [`${importWh}`, `${exportWh}`];
  const head = {
    version: 1,
    network_id: config.network_id.toLowerCase(),
    meter_id: signer.meterId,
    name: signer.name,
    key: base58Encode(signer.publicKey),
    from_ms: fromMs,
    until_ms: untilMs,
    messages: places.length,
    offsets: pair(offsets),
    accepted: accepted.map(({ timeMs, reason, raw, signed }) => ({
      ...{ time_ms: timeMs, reason },
      ...{ raw: pair(raw), signed: pair(signed) },
    })),
  };
  await writeLines(options.out, head, messagesAt(nodeDisk, dir, places));
  return `${places.length} messages of meter ${signer.name}, seq ${span.first} to ${span.last}, written to ${options.out}`;
}

function timeOf(option: string, text: string): number {
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z?)?$/.test(text) ? Date.parse(withZone(text)) : Number.NaN;
  // A day that the month does not have would become one of the next month.
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(text.slice(0, 10)))
    throw new StartError(`${option} ${text}: expected a UTC time such as 2026-11-01T00:00Z`);
  return ms;
}

const withZone = (text: string) => (text.length === 10 || text.endsWith('Z') ? text : `${text}Z`);

/**
 * Returns the seqs of a period: from the first message in it to the last. It begins behind the statement before, so
 * that the root over the readings of each statement in it can be recomputed.
 */
function spanOf(all: readonly Located[]): { readonly first: bigint; readonly last: bigint } | null {
  const first = all.find(({ isMarked }) => isMarked)?.seq;
  const last = all.findLast(({ isMarked }) => isMarked)?.seq;
  if (first === undefined || last === undefined) return null;
  const before = all.findLast(({ kind, seq }) => kind === Kind.statement && seq < first);
  return { first: (before?.seq ?? 0n) + 1n, last };
}

function isWithin(message: SignedMessage, fromMs: number, untilMs: number): boolean {
  const content = contentOf(message);
  const isMeasured = content?.kind === Kind.reading || content?.kind === Kind.moreValues;
  if (isMeasured || (content?.kind === Kind.event && content.code !== EventCode.gap)) {
    const at = Number(content.timeMs);
    return at >= fromMs && at < untilMs;
  }
  if (content?.kind !== Kind.statement) return false;
  return windowStartAtMs(content.window) >= fromMs && windowEndAtMs(content.window) <= untilMs;
}

/** Reads messages at their places, one after another. Omits one that was removed meanwhile. */
async function* messagesAt(
  disk: Pick<Disk, 'readAt'>,
  dir: string,
  places: readonly Located[],
): AsyncGenerator<Uint8Array> {
  for (const { segment, offset, length } of places) {
    const record = await disk.readAt(join(dir, segment), offset, length);
    if (record.length === length) yield record.subarray(HEADER_BYTES);
  }
}

async function writeLines(out: string, head: object, messages: AsyncIterable<Uint8Array>): Promise<void> {
  const file = createWriteStream(out, { mode: 0o600 });
  const failed = new Promise<never>((_, reject) => {
    file.once('error', (error) => reject(new StartError(`${out}: cannot be written: ${error.message}`)));
  });
  const write = async () => {
    file.write(`${JSON.stringify(head)}\n`);
    for await (const message of messages) if (!file.write(`${toHex(message)}\n`)) await once(file, 'drain');
    file.end();
    await once(file, 'finish');
  };
  await Promise.race([write(), failed]);
}
