import { type MeterId, parseSign1, sigStructure } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { browseSpool } from '../adapters/spool/browse.js';
import type { SignedMessage } from '../domain/signed-message.js';
import { type KeyReport, KeyReporter } from '../domain/spool-report.js';
import type { GatewayConfig } from '../wiring/config.js';
import { spoolDir } from '../wiring/setup.js';
import { type NamedSigner, signersOf } from './signers.js';

/** Facts about a spool's segments. */
interface SegmentTotals {
  segments: number;
  bytes: number;
  records: number;
  damagedBytes: number;
  tornBytes: number;
}

/**
 * Prints the content of the spool: its segments, and for each key its messages, seqs and holes. `isVerified`: checks
 * every signature, too. Changes nothing, so a gateway may run. Returns true when nothing is wrong.
 */
export async function inspectSpool(config: GatewayConfig, isVerified: boolean): Promise<boolean> {
  const signers = await signersOf(config);
  const { totals, reports } = await gather(config, signers, isVerified);
  const mib = (totals.bytes / 1_048_576).toFixed(1);
  console.log(`${totals.segments} segments, ${mib} MiB, ${totals.records} records`);
  let isWell = true;
  const wrong = (text: string) => {
    isWell = false;
    console.log(text);
  };
  if (totals.damagedBytes > 0) wrong(`${totals.damagedBytes} bytes between records are damaged`);
  // The running gateway may be writing the last record at this moment.
  if (totals.tornBytes > 0) console.log(`note: ${totals.tornBytes} bytes at the ends of segments are no whole record`);
  for (const [meterId, report] of reports) {
    const name = signers.find((signer) => signer.meterId === meterId)?.name;
    console.log(`${name ?? `${meterId} (not in the configuration)`}: ${contentText(report)}`);
    for (const { first, last } of report.missing) wrong(`  seq ${first} to ${last}: absent and not declared`);
    for (const fault of report.faults) wrong(`  ${fault}`);
    const more = report.faultCount - report.faults.length;
    if (more > 0) wrong(`  and ${more} further faults`);
  }
  const strangers = [...reports.keys()].filter((id) => !signers.some(({ meterId }) => meterId === id)).length;
  if (isVerified && strangers > 0)
    console.log(
      `note: ${strangers} of ${reports.size} keys are not in the configuration: their signatures are not checked`,
    );
  else if (isVerified && isWell) console.log('every signature and every record is right');
  return isWell;
}

async function gather(config: GatewayConfig, signers: readonly NamedSigner[], isVerified: boolean) {
  const totals: SegmentTotals = { segments: 0, bytes: 0, records: 0, damagedBytes: 0, tornBytes: 0 };
  const reporters = new Map<MeterId, KeyReporter>();
  const verifier = provedVerifier();
  const verifyOf = (signer: NamedSigner | undefined) => {
    if (!isVerified || !signer) return null;
    return ({ bytes }: SignedMessage) => {
      const { payload, signature } = parseSign1(bytes);
      return verifier.verify(signature, sigStructure(payload), signer.publicKey);
    };
  };
  for await (const segment of browseSpool(nodeDisk, spoolDir(config))) {
    totals.segments++;
    totals.bytes += segment.bytes;
    totals.records += segment.records.length;
    totals.damagedBytes += segment.damagedBytes;
    totals.tornBytes += segment.tornBytes;
    for (const { message } of segment.records) {
      const { meterId } = message;
      const signer = signers.find((one) => one.meterId === meterId);
      const reporter = reporters.get(meterId) ?? new KeyReporter(meterId, verifyOf(signer));
      reporters.set(meterId, reporter);
      reporter.add(message);
    }
    if (isVerified) console.error(`${segment.name}: ${segment.records.length} records`);
  }
  return { totals, reports: new Map([...reporters].map(([id, reporter]) => [id, reporter.result()])) };
}

function contentText({ counts, firstSeq, lastSeq, fromMs, untilMs, lastWindow }: KeyReport): string {
  const { readings, statements, events, enrolments, moreValues, others } = counts;
  const kinds = `${readings} readings, ${statements} statements, ${events} events, ${enrolments} enrolments${moreValues > 0 ? `, ${moreValues} with further values` : ''}`;
  const iso = (ms: number) => new Date(ms).toISOString().slice(0, 19);
  const span = fromMs === null || untilMs === null ? '' : `, readings from ${iso(fromMs)} to ${iso(untilMs)} UTC`;
  const window = lastWindow === null ? '' : `, last window ${lastWindow}`;
  return `${kinds}${others > 0 ? `, ${others} of other kinds` : ''}; seq ${firstSeq} to ${lastSeq}${span}${window}`;
}
