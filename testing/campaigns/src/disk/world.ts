import {
  asMeterId,
  asPublicKeyText,
  asWh,
  asWindow,
  base58Encode,
  decodePayload,
  type Payload,
  parseSign1,
  Role,
  type Signer,
  toHex,
  windowOf,
} from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import type { MeterRecord } from '#oracle/domain/ports.js';

export const NETWORK = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1);
export const LIMIT_W = 20_000;
const BASELINE = { importWh: 4_000_000n, exportWh: 1_000_000n };

/** Returns a meter's registers: a pure function of the clock, rising at 6 kW and 2 kW. */
export function registersAt(timeMs: number, startAtMs: number): { importWh: bigint; exportWh: bigint } {
  const hours = (timeMs - startAtMs) / 3_600_000;
  return {
    importWh: BASELINE.importWh + BigInt(Math.floor(2_000 * hours)),
    exportWh: BASELINE.exportWh + BigInt(Math.floor(6_000 * hours)),
  };
}

/** One home: the keys of gateway and meter, and the meter's record on chain. */
export interface Home {
  readonly gateway: Signer;
  readonly gatewayName: string;
  readonly meter: Signer;
  readonly meterId: Uint8Array;
  readonly record: MeterRecord;
}

export function makeHome(index: number, startAtMs: number): Home {
  const seed = (kind: number) => new Uint8Array(32).fill(kind).map((byte, i) => (i === 0 ? index + 1 : byte));
  const gateway = sodiumSigner(seed(11));
  const meter = sodiumSigner(seed(22));
  const meterId = new Uint8Array(16).fill(index + 1);
  const window = windowOf(startAtMs);
  const record: MeterRecord = {
    meterId: asMeterId(meterId),
    owner: asPublicKeyText(new Uint8Array(32).fill(90 + index)),
    key: meter.publicKey,
    signer: 'gateway',
    role: Role.point,
    zone: 1,
    page: 0,
    slot: index,
    importBaselineWh: asWh(BASELINE.importWh),
    exportBaselineWh: asWh(BASELINE.exportWh),
    importCarriedWh: asWh(0n),
    exportCarriedWh: asWh(0n),
    exportLimitW: LIMIT_W,
    importLimitW: LIMIT_W,
    enrolmentWindow: window,
    firstWindow: asWindow(window + 1),
    keyEpoch: 0,
    status: 'active',
    registerStepWh: 1,
  };
  return { gateway, gatewayName: base58Encode(gateway.publicKey), meter, meterId, record };
}

export const placeOf = (payload: Payload) => `${toHex(payload.meterId)}/${payload.seq}`;

/** Records all messages, and checks the rules that must hold whatever was cut. */
export class Witness {
  /** Signed payloads by place: one seq, one content, even for messages that never left the gateway. */
  readonly #signed = new Map<string, string>();
  /** Messages that reached the broker, by place. */
  readonly published = new Map<string, string>();
  /** By meter: the seq through which everything was acknowledged to its gateway. */
  readonly acknowledged = new Map<string, bigint>();
  /** By meter: the highest seq that the broker answered, which promises nothing. */
  readonly answered = new Map<string, bigint>();
  readonly faults = new Set<string>();

  /** Returns the meter's key, whose signatures are recorded. */
  watched(signer: Signer, payloadOf: (signed: Uint8Array) => Uint8Array): Signer {
    return {
      publicKey: signer.publicKey,
      sign: (bytes) => {
        const payload = payloadOf(bytes);
        this.#place(this.#signed, payload, toHex(payload), 'signed');
        return signer.sign(bytes);
      },
    };
  }

  sees(message: Uint8Array): void {
    const { payload } = parseSign1(message);
    this.#place(this.published, payload, toHex(message), 'published');
    const { meterId, seq } = decodePayload(payload);
    const before = this.answered.get(toHex(meterId)) ?? 0n;
    if (seq > before) this.answered.set(toHex(meterId), seq);
  }

  #place(places: Map<string, string>, payload: Uint8Array, content: string, how: string): void {
    const name = placeOf(decodePayload(payload));
    if ((places.get(name) ?? content) !== content) this.faults.add(`seq reused: ${name} was ${how} with two contents`);
    places.set(name, content);
  }

  /** Yields a meter's published places, with their seq and content. */
  *publishedOf(meterId: string): Generator<{ seq: bigint; name: string; content: string }> {
    for (const [name, content] of this.published) {
      const [meter = '', seq = '0'] = name.split('/');
      if (meter === meterId) yield { seq: BigInt(seq), name, content };
    }
  }
}

/** Not a copy of the wire format: a signer receives a COSE Sig_structure, whose last 96 bytes are the payload. */
export const payloadOfSigStructure = (bytes: Uint8Array) => bytes.slice(bytes.length - 96);
