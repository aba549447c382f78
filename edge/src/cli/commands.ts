import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { get as getTls } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { base58Encode, type Enrolment, fromHex, Kind, type ToEncode, toHex, type Window } from '@gridtokenx/protocol';
import { silentLogger } from '@gridtokenx/runtime/core';
import { provedVerifier, readRegularFile, systemClock, systemRandom } from '@gridtokenx/runtime/node';

import { nodeDisk } from '../adapters/disk/node-disk.js';
import { lineOf } from '../adapters/frames/line.js';
import { readFrames } from '../adapters/frames/ring.js';
import { bindTo } from '../adapters/keys/binding.js';
import { readHardware } from '../adapters/keys/hardware.js';
import type { MeterKey } from '../adapters/keys/key-store.js';
import { firstSerial } from '../domain/commissioning/first-read.js';
import type { MeterSample } from '../domain/ports.js';
import { contentOf, type SignedMessage } from '../domain/signed-message.js';
import { checkBinding } from '../wiring/binding.js';
import { enrolmentWindow, openEnrolmentClock, untilKnown } from '../wiring/clocks.js';
import type { GatewayConfig, MeterConfig } from '../wiring/config.js';
import { pointEnrolment, pointKeys } from '../wiring/points.js';
import {
  checkProfiles,
  closeBuses,
  framesDir,
  identityOf,
  keyStore,
  openBuses,
  plateOf,
  type SetUpMeter,
  StartError,
  setUp,
  takeDirectory,
} from '../wiring/setup.js';
import { askPerson, believedSample } from './first-enrolment.js';
import { refuseUnwritable, refuseUnwritableFolder } from './output.js';

/** Creates missing keys and prints the identity; prints the same again when every key exists. */
export async function init(config: GatewayConfig): Promise<void> {
  checkProfiles(config);
  await takeDirectory(config);
  refuseUnwritableFolder('data_dir', config.data_dir);
  const keys = keyStore(config);
  const gateway = await keys.gateway(true, { binding: bindTo(readHardware(), systemRandom) });
  const boundTo = await checkBinding(keys);
  const meters = [];
  for (const meter of config.meters)
    meters.push({ config: meter, key: await keys.meter(meter.name, plateOf(meter), true) });
  const points = await pointKeys(config, keys, meters, true);
  console.log(JSON.stringify({ ...identityOf(gateway, [...meters, ...points]), bound_to: boundTo }));
}

/**
 * Writes the enrolment of every meter to `out`. Reads a meter without an enrolment and stores its enrolment in the
 * spool first, so that a second call gives the same bytes. Throws `StartError` when a meter does not answer, and when
 * the time of a new enrolment is not known.
 */
export async function enrol(
  config: GatewayConfig,
  out: string,
  newMeters: readonly string[] = [],
  progress: (text: string) => void = console.error,
): Promise<void> {
  checkProfiles(config);
  refuseUnwritable(out);
  await takeDirectory(config);
  refuseUnwritableFolder('data_dir', config.data_dir);
  const readingClock = await openEnrolmentClock(config, systemClock);
  const buses = openBuses(config, systemClock);
  const counters = { add: () => {} };
  const verifier = provedVerifier();
  const ports = { readingClock, clock: systemClock, verifier, counters, buses, committed: () => {} };
  const { spool, meters, points, faults } = await setUp(config, ports);
  const [fault] = faults;
  if (fault !== undefined) throw new StartError(fault);
  if ([...meters, ...points].some(({ recovered }) => recovered.enrolment === null))
    await untilKnown(readingClock, config, { clock: systemClock, random: systemRandom, verifier, log: silentLogger });
  const ask = askPerson();
  const messages = await allOrFirstError(
    meters.map(async (meter) => {
      const known = meter.recovered.enrolment?.message;
      const { name, bus, unit } = meter.config;
      progress(`meter ${name}: ${known ? 'has its enrolment already' : `reading unit ${unit} on ${bus}`}`);
      if (known) return known;
      const sample = await believedSample(meter, newMeters, ask, config.profiles_dir);
      progress(`meter ${name}: import ${sample.importWh} Wh, export ${sample.exportWh} Wh`);
      const serial = await firstSerial(meter.line.readSerial, systemClock);
      if (serial !== null) await meter.journal.identified(serial);
      return firstEnrolment(config, meter, sample, enrolmentWindow(readingClock));
    }),
  );
  const entries = meters.map((meter, i) => entryOf(meter, messages[i] as SignedMessage));
  for (const point of points) {
    const window = enrolmentWindow(readingClock);
    const first = () => point.journal.enrol((seq) => pointEnrolment(config, point, seq, window));
    entries.push(entryOf(point, point.recovered.enrolment?.message ?? (await first())));
  }
  writeFileSync(out, `${JSON.stringify(entries, null, 2)}\n`);
  progress(`${out}: ${entries.length} enrolment${entries.length === 1 ? '' : 's'} for the utility`);
  await spool.close();
  await closeBuses(buses);
}

/** Waits until every promise settles, so that no meter is left half enrolled; then throws the first error. */
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function firstEnrolment(
  config: GatewayConfig,
  { config: meter, key, journal }: SetUpMeter,
  sample: MeterSample,
  window: Window,
) {
  return journal.enrol((seq) => enrolmentOf(config, meter, key.meterId, seq, sample, window));
}

function enrolmentOf(
  config: GatewayConfig,
  meter: MeterConfig,
  meterId: Uint8Array,
  seq: bigint,
  sample: MeterSample,
  window: Window,
): ToEncode<Enrolment> {
  return {
    kind: Kind.enrolment,
    networkId: fromHex(config.network_id),
    meterId,
    seq,
    owner: meter.owner,
    importWh: sample.importWh,
    exportWh: sample.exportWh,
    zone: meter.zone,
    source: meter.source,
    role: meter.role,
    deviceSigned: false,
    keyEpoch: 0,
    window,
  };
}

function entryOf({ config, key }: { config: { name: string }; key: MeterKey }, message: SignedMessage) {
  const payload = contentOf(message);
  if (payload?.kind !== Kind.enrolment)
    throw new StartError(`the first message of meter ${config.name} is no enrolment`);
  return {
    name: config.name,
    meter_id: toHex(key.meterId),
    key: base58Encode(key.signer.publicKey),
    message: toHex(message.bytes),
    import_wh: payload.importWh.toString(),
    export_wh: payload.exportWh.toString(),
    window: payload.window,
    owner: base58Encode(payload.owner),
    zone: payload.zone,
  };
}

/**
 * Prints the meters' raw replies of the last day and of each discontinuity, a line each; of one meter only if named.
 */
export async function frames(config: GatewayConfig, name: string | undefined): Promise<void> {
  const meter = config.meters.find((one) => one.name === name);
  if (name !== undefined && !meter) {
    const names = config.meters.map((one) => one.name).join(', ');
    throw new StartError(`there is no meter "${name}": the configuration has ${names}`);
  }
  const found = await readFrames(nodeDisk, framesDir(config));
  for (const frame of found.frames) {
    if (!meter || (frame.bus === meter.bus && frame.unit === meter.unit)) process.stdout.write(lineOf(frame));
  }
  if (found.damaged > 0) console.error(`omitted ${found.damaged} damaged lines`);
}

/** Prints the status of the running gateway. Throws `StartError` when none answers. */
export async function status(config: GatewayConfig): Promise<void> {
  const { http } = config;
  if (!http) throw new StartError('the configuration has no http section, which the gateway needs to show its status');
  console.log(JSON.stringify(await askStatus(http), null, 2));
}

/** Requests the status of the running gateway. Throws `StartError` when none answers. */
export async function askStatus(http: NonNullable<GatewayConfig['http']>): Promise<unknown> {
  return JSON.parse(await ask(http));
}

function ask({ host, port, tls }: NonNullable<GatewayConfig['http']>): Promise<string> {
  const where = { host, port, path: '/api/v1/status', timeout: 5_000, agent: false };
  const own = tls ? ownCertificate(tls.cert_file) : null;
  return new Promise<string>((resolve, reject) => {
    const take = (response: IncomingMessage) => {
      const shown = own && (response.socket as TLSSocket).getPeerX509Certificate()?.fingerprint256;
      if (own && shown !== own.fingerprint256) {
        request.destroy(new Error(`the answering server shows another certificate than ${tls?.cert_file}`));
        return;
      }
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    };
    // Checks the very certificate instead of an authority: this also works after its expiry, which the status should
    // show.
    const request = own ? getTls({ ...where, rejectUnauthorized: false }, take) : get(where, take);
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', (error) => {
      reject(new StartError(`no gateway answers on ${host}:${port} (${error.message}): is it running?`));
    });
  });
}

function ownCertificate(file: string): X509Certificate {
  try {
    return new X509Certificate(readRegularFile(file));
  } catch (error) {
    throw new StartError(`${file}: cannot read a certificate: ${(error as Error).message}`);
  }
}
