import {
  decodePayload,
  type Enrolment,
  EventCode,
  encodePayload,
  equalBytes,
  Kind,
  type Window,
} from '@gridtokenx/protocol';
import type { KeyStore, NextKey } from '../adapters/keys/key-store.js';
import type { Spool } from '../domain/ports.js';
import { contentOf, headOf, type SignedMessage, signMessage } from '../domain/signed-message.js';
import type { MeterJournal } from '../domain/signing/meter-journal.js';
import type { RecoveredMeter } from '../domain/signing/recovery.js';
import { idOf, plateOf } from './open-keys.js';
import type { KeyedMeter } from './points.js';
import { StartError } from './start-error.js';

/** Age of a waiting enrolment from which on it is made anew, windows: the chain takes one of at most 96. */
const MAX_AGE = 90;

interface Opened {
  readonly journal: MeterJournal;
  readonly recovered: RecoveredMeter;
}

/** The enrolment of a next key, signed by it and by the present key. */
export interface PreparedRotation {
  readonly next: NextKey;
  readonly payload: Enrolment;
  readonly message: SignedMessage;
  /** The same payload, signed by the present key: the registry wants the consent of both. */
  readonly consent: SignedMessage;
}

/**
 * Makes the next key of a meter beside its present one, and the enrolment for it [gateway §2.6]. The present key goes on
 * signing. A repeated call gives the same bytes while the enrolment is young enough. The seq of the enrolment belongs to
 * both keys: the present key reserves it and signs nothing else with it. Throws `StartError` for a meter without an
 * enrolment.
 */
export async function prepareRotation(
  keys: KeyStore,
  { config, key, journal, recovered }: KeyedMeter & Opened,
  window: Window,
): Promise<PreparedRotation> {
  const { name } = config;
  const enrolled = recovered.enrolment?.payload;
  if (!enrolled) throw new StartError(`meter ${name} is not enrolled: there is nothing to rotate; run "enrol"`);
  let next = await keys.next(name);
  if (next?.isApproved)
    throw new StartError(`the key of meter ${name} is being changed: start the gateway, which ends it`);
  if (!next || !isYoung(next, enrolled, window)) {
    const { lastGood } = recovered;
    const { importWh, exportWh } = lastGood ?? enrolled;
    const seq = await journal.reserve();
    const made = { ...enrolled, seq, importWh, exportWh, window, keyEpoch: enrolled.keyEpoch + 1 };
    next = await keys.keepNext(name, encodePayload(made));
  }
  return {
    next,
    payload: enrolmentIn(next),
    message: signMessage(next.enrolment, next.signer),
    consent: signMessage(next.enrolment, key.signer),
  };
}

function isYoung(next: NextKey, enrolled: Enrolment, window: Window): boolean {
  const waiting = enrolmentIn(next);
  return waiting.keyEpoch === enrolled.keyEpoch + 1 && waiting.window <= window && window - waiting.window <= MAX_AGE;
}

function enrolmentIn({ enrolment }: NextKey): Enrolment {
  const payload = decodePayload(enrolment);
  if (payload.kind !== Kind.enrolment) throw new StartError('the next key has no enrolment: restore it from a backup');
  return payload;
}

export interface RotationPorts {
  readonly keys: KeyStore;
  readonly spool: Spool;
  /** Opens the journal of a meter's present key; null where it cannot be used. */
  readonly open: (meter: KeyedMeter) => Opened | null;
}

/**
 * Ends each approved rotation: the present key signs event 9 as its last message, the next key's enrolment enters the
 * spool, and the next key takes the file's place. A cut at any point leaves a state from which the next call goes on.
 * Returns the meters with the keys that sign from now on.
 */
export async function finishRotations(meters: readonly KeyedMeter[], ports: RotationPorts): Promise<KeyedMeter[]> {
  const finished: KeyedMeter[] = [];
  for (const meter of meters) {
    const next = await ports.keys.next(meter.config.name);
    finished.push(next?.isApproved ? await finish(meter, next, ports) : meter);
  }
  return finished;
}

async function finish(meter: KeyedMeter, next: NextKey, { keys, spool, open }: RotationPorts): Promise<KeyedMeter> {
  const { config } = meter;
  const isPromoted = equalBytes(meter.key.signer.publicKey, next.signer.publicKey);
  if (!isPromoted && !(await isRetired(meter, next, spool))) {
    const opened = open(meter);
    // Without its journal the present key cannot sign its end: it stays, and its faults are shown.
    if (!opened) return meter;
    await opened.journal.retire(opened.recovered, next.signer.publicKey);
  }
  const { seq } = headOf(next.enrolment);
  if (!spool.has(idOf(meter.key), seq)) await spool.append([signMessage(next.enrolment, next.signer)]);
  await keys.promoteNext(config.name);
  return { config, key: await keys.meter(config.name, plateOf(config), false) };
}

/** Returns true where event 9 for the next key is the newest message: nothing follows it before the rotation ends. */
async function isRetired({ key }: KeyedMeter, next: NextKey, spool: Spool): Promise<boolean> {
  const id = idOf(key);
  const [newest] = await spool.read(id, spool.highest(id), 1);
  const content = newest && contentOf(newest);
  if (content?.kind !== Kind.event || content.code !== EventCode.keyChanged) return false;
  return equalBytes(content.data, next.signer.publicKey.slice(0, 16));
}
