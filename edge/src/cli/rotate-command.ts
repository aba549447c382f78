import { writeFileSync } from 'node:fs';
import { base58Encode, toHex } from '@gridtokenx/protocol';
import { silentLogger } from '@gridtokenx/runtime/core';
import { provedVerifier, systemClock, systemRandom } from '@gridtokenx/runtime/node';
import { nodeDisk } from '../adapters/disk/node-disk.js';
import { headOf } from '../domain/signed-message.js';
import { enrolmentWindow, openEnrolmentClock, untilKnown } from '../wiring/clocks.js';
import type { GatewayConfig } from '../wiring/config.js';
import { type PreparedRotation, prepareRotation } from '../wiring/rotation.js';
import { closeBuses, keyStore, openBuses, type SetUpMeter, StartError, setUp, takeDirectory } from '../wiring/setup.js';
import { openAcks } from '../wiring/states.js';
import { refuseUnwritable } from './output.js';

export interface RotateOptions {
  readonly out?: string;
  readonly approved?: boolean;
}

/**
 * Makes the next key of a meter and writes its enrolment for the utility; with `approved`, lets the next key sign from
 * now on [gateway §2.6]. Both can be repeated. Throws `StartError`.
 */
export async function rotateKey(config: GatewayConfig, name: string, { out, approved }: RotateOptions): Promise<void> {
  if (!config.meters.some((one) => one.name === name)) {
    const names = config.meters.map((one) => one.name).join(', ');
    throw new StartError(`there is no meter "${name}": the configuration has ${names}`);
  }
  if ((out === undefined) === (approved !== true)) throw new StartError('give either --out FILE or --approved');
  if (out !== undefined) refuseUnwritable(out);
  await takeDirectory(config);
  if (approved) await approve(config, name);
  const readingClock = await openEnrolmentClock(config, systemClock);
  const around = { clock: systemClock, random: systemRandom, verifier: provedVerifier(), log: silentLogger };
  await untilKnown(readingClock, config, around);
  const buses = openBuses(config, systemClock);
  const counters = { add: () => {} };
  const { spool, meters, faults } = await setUp(config, { ...around, readingClock, counters, buses, committed() {} });
  const meter = meters.find((one) => one.config.name === name);
  if (!meter) throw new StartError(faults[0] ?? `meter ${name} does not run`);
  if (out === undefined) console.log(JSON.stringify({ name, key: base58Encode(meter.key.signer.publicKey) }));
  else {
    const prepared = await prepareRotation(keyStore(config), meter, enrolmentWindow(readingClock));
    writeFileSync(out, `${JSON.stringify([entryOf(meter, prepared)], null, 2)}\n`);
    console.log(`${out}: for the utility; run "rotate-key ${name} --approved" at once when it has approved`);
  }
  await spool.close();
  await closeBuses(buses);
}

/**
 * Records the approval. Throws `StartError` while the newest acks still speak of the present key: the registry does not
 * know the next key then, and every message of it would be refused for good.
 */
async function approve(config: GatewayConfig, name: string): Promise<void> {
  const keys = keyStore(config);
  const next = await keys.next(name);
  if (!next) {
    // An earlier call has ended the rotation, or none was begun.
    console.error(`meter ${name} has no next key that waits: see the key in its file`);
    return;
  }
  const { meterId, seq } = headOf(next.enrolment);
  if (!next.isApproved && (await openAcks(nodeDisk, config)).acknowledged(meterId) >= seq) {
    const advice = 'wait for the approval, run the gateway for a minute, and try again';
    throw new StartError(`meter ${name}: the oracles still acknowledge its present key: ${advice}`);
  }
  await keys.approveNext(name);
}

/** An entry like that of an enrolment, with the consent of the present key [wire §10.8]. */
function entryOf({ config, key }: SetUpMeter, { next, payload, message, consent }: PreparedRotation) {
  return {
    name: config.name,
    meter_id: toHex(key.meterId),
    key: base58Encode(next.signer.publicKey),
    key_epoch: payload.keyEpoch,
    message: toHex(message.bytes),
    old_key: base58Encode(key.signer.publicKey),
    old_message: toHex(consent.bytes),
    import_wh: payload.importWh.toString(),
    export_wh: payload.exportWh.toString(),
    window: payload.window,
    owner: base58Encode(payload.owner),
    zone: payload.zone,
  };
}
