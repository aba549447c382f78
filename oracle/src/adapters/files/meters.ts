import {
  asMeterId,
  asPublicKeyText,
  asWh,
  asWindow,
  type MeterId,
  type PublicKeyText,
  parseJson,
  publicKeyFromBase58,
  type Role,
} from '@gridtokenx/protocol';
import { type Clock, errorText, OperatorError } from '@gridtokenx/runtime/core';
import { readRegularFile } from '@gridtokenx/runtime/node';
import { z } from 'zod';
import type { MeterRecord, Registry } from '../../domain/ports.js';

const wh = z.string().regex(/^[0-9]{1,20}$/);
const u32 = z.number().int().min(0).max(0xffff_ffff);
const schema = z.strictObject({
  version: z.literal(1),
  meters: z.array(
    z.strictObject({
      meter_id: z.string().regex(/^[0-9a-f]{32}$/),
      owner: z.string(),
      key: z.string(),
      signer: z.enum(['gateway', 'device']),
      role: z.number().int().min(0).max(2),
      zone: z.number().int().min(0).max(65_535),
      import_baseline_wh: wh,
      export_baseline_wh: wh,
      export_limit_w: u32,
      import_limit_w: u32,
      enrolment_window: u32,
      key_epoch: u32.default(0),
      register_step_wh: u32.default(1),
    }),
  ),
});

type MeterRow = z.infer<typeof schema>['meters'][number];

/**
 * Reads enrolled meters from a JSON file, for an oracle that verifies and acknowledges without a chain [wire §10.6].
 * Each refresh reads the file again. While the file cannot be read, its last good content stays in force.
 */
export class MetersFile implements Registry {
  readonly #path: string;
  readonly #clock: Clock;
  #meters = new Map<MeterId, MeterRecord>();
  asOf = { chainSlot: 0, fetchedAtMs: 0 };

  /** Throws when the file cannot be read or its content is invalid. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    try {
      this.#read();
    } catch (cause) {
      const problem = `not a file of meters: ${errorText(cause)}`;
      const advice = 'correct meters_file';
      throw new OperatorError({ code: 'meters-file', file: path, problem, advice }, { cause });
    }
  }

  meter(meterId: MeterId): MeterRecord | undefined {
    return this.#meters.get(meterId);
  }

  meters(): readonly MeterRecord[] {
    return [...this.#meters.values()];
  }

  async refresh(): Promise<void> {
    this.#read();
  }

  #read(): void {
    const fetchedAtMs = this.#clock.nowMs();
    const { meters } = schema.parse(parseJson(readRegularFile(this.#path).toString('utf8')));
    this.#meters = new Map(meters.map((meter) => [asMeterId(meter.meter_id), recordOf(meter)]));
    this.asOf = { chainSlot: this.asOf.chainSlot + 1, fetchedAtMs };
  }
}

function recordOf(meter: MeterRow): MeterRecord {
  return {
    meterId: asMeterId(meter.meter_id),
    owner: ownerOf(meter),
    key: publicKeyFromBase58(meter.key),
    signer: meter.signer,
    role: meter.role as Role,
    zone: meter.zone,
    page: null,
    slot: null,
    importBaselineWh: asWh(BigInt(meter.import_baseline_wh)),
    exportBaselineWh: asWh(BigInt(meter.export_baseline_wh)),
    importCarriedWh: asWh(0n),
    exportCarriedWh: asWh(0n),
    exportLimitW: meter.export_limit_w,
    importLimitW: meter.import_limit_w,
    enrolmentWindow: asWindow(meter.enrolment_window),
    firstWindow: asWindow(meter.enrolment_window),
    keyEpoch: meter.key_epoch,
    status: 'active',
    registerStepWh: meter.register_step_wh,
  };
}

/** Throws an `Error` that names the meter when its owner is not a public key. */
function ownerOf(meter: MeterRow): PublicKeyText {
  try {
    return asPublicKeyText(meter.owner);
  } catch (cause) {
    throw new Error(`meter ${meter.meter_id}: its owner is not a public key in base58`, { cause });
  }
}
