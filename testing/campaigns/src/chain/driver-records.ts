import { instructions, pda } from '@gridtokenx/chain-client';
import { sha256 } from '@gridtokenx/protocol';
import type { Keypair, PublicKey } from '@solana/web3.js';
import { once, type Sending } from './built.js';
import { enrolmentPayload, statementPayload, verification } from './messages.js';
import { nameOf, zoneOf } from './model.js';
import type { Limits } from './model-state.js';
import { commitmentOf, idOf, named, utilityOf } from './names.js';
import type { Of, RecordOp } from './ops.js';

type Place = { readonly page: number; readonly slot: number } | undefined;

const STATUS = { active: 1, suspended: 2, closed: 3 } as const;
const ANY_LIMITS = {
  exportLimitW: 0,
  importLimitW: 0,
  registerStepWh: 0,
  tariffClass: 0,
  deviceSigned: false,
} as const;

function limitBytes({ exportW, importW, step, tariffClass, deviceSigned }: Limits): Uint8Array {
  const out = Buffer.alloc(15);
  for (const [index, value] of [exportW, importW, step].entries()) out.writeUInt32LE(value, 4 * index);
  out.writeUInt16LE(tariffClass, 12);
  out.writeUInt8(deviceSigned ? 1 : 0, 14);
  return out;
}

/** Turns ops that write a meter's record into instructions. */
export class RecordDriver {
  readonly #payer: PublicKey;
  readonly #networkId: Uint8Array;

  constructor(payer: PublicKey, networkId: Uint8Array) {
    this.#payer = payer;
    this.#networkId = networkId;
  }

  sending(op: RecordOp, place: Place): Sending {
    switch (op.kind) {
      case 'register':
        return this.#register(op);
      case 'confirm':
        return this.#confirm(op);
      case 'status':
        return this.#status(op, place);
      case 'rotate':
        return this.#rotate(op, place);
      case 'replace':
        return this.#replace(op, place);
    }
  }

  #register(op: Of<'register'>): Sending {
    const zone = zoneOf(op.meter);
    const by = named(op.by);
    const owner = named(op.message.owner).publicKey;
    const build = () =>
      instructions.registerMeter({
        authority: by.publicKey,
        authorityIsUtility: op.by === utilityOf(zone),
        payer: this.#payer,
        zone,
        meterId: idOf(nameOf(op.meter)),
        owner,
        pointCommitment: commitmentOf(op.point),
      });
    const verify = verification(op.message.key, enrolmentPayload(this.#networkId, op.message));
    const name = `register ${op.meter} ${op.by} ${op.message.owner} ${op.point}`;
    return { instructions: [verify, once(name, build)], signers: [by] };
  }

  #confirm(op: Of<'confirm'>): Sending {
    const zone = zoneOf(op.meter);
    const by = named(op.by);
    const deviceKey = named(op.key).publicKey;
    const build = () =>
      instructions.confirmMeter({
        utility: by.publicKey,
        zone,
        meterId: idOf(nameOf(op.meter)),
        point: pda.point(zone, commitmentOf(op.point)),
        deviceKey,
        enrolment: new Uint8Array(16),
        ...ANY_LIMITS,
      });
    const looked = sha256(enrolmentPayload(this.#networkId, op.message)).slice(0, 16);
    const data = Buffer.concat([deviceKey.toBytes(), looked, limitBytes(op.limits)]);
    return { instructions: [once(`confirm ${op.meter} ${op.by} ${op.point}`, build, data)], signers: [by] };
  }

  #status(op: Of<'status'>, place: Place): Sending {
    const zone = zoneOf(op.meter);
    const by = named(op.by);
    const build = () =>
      instructions.setStatus({
        utility: by.publicKey,
        zone,
        meterId: idOf(nameOf(op.meter)),
        point: pda.point(zone, commitmentOf(op.point)),
        page: place?.page,
        ...(op.withCase ? { dispute: pda.dispute(zone, place?.page ?? 0, place?.slot ?? 0) } : {}),
        status: 'suspended',
      });
    const name = `status ${op.meter} ${place?.page} ${place?.slot} ${op.by} ${op.point} ${op.withCase}`;
    const set = once(name, build, Uint8Array.of(STATUS[op.status]));
    const verify = op.said ? [verification(op.said.key, statementPayload(this.#networkId, op.said))] : [];
    return { instructions: [...verify, set], signers: [by] };
  }

  #rotate(op: Of<'rotate'>, place: Place): Sending {
    const by = named(op.by);
    const payload = enrolmentPayload(this.#networkId, op.message);
    const recovery: Keypair | undefined = op.recovery === undefined ? undefined : named(op.recovery);
    const build = () =>
      instructions.rotateKey({
        utility: by.publicKey,
        ...(recovery ? { recoveryAuthority: recovery.publicKey } : {}),
        zone: zoneOf(op.meter),
        page: place?.page,
        meterId: idOf(nameOf(op.meter)),
      });
    return {
      instructions: [
        ...(recovery ? [] : [verification(op.oldKey, payload)]),
        verification(op.message.key, payload),
        once(`rotate ${op.meter} ${place?.page} ${op.by} ${op.recovery}`, build),
      ],
      signers: [by, ...(recovery ? [recovery] : [])],
    };
  }

  #replace(op: Of<'replace'>, place: Place): Sending {
    const zone = zoneOf(op.meter);
    const by = named(op.by);
    const page = place?.page ?? 0;
    const build = () =>
      instructions.replaceMeter({
        utility: by.publicKey,
        payer: this.#payer,
        zone,
        page,
        oldMeterId: idOf(nameOf(op.meter)),
        meterId: idOf(nameOf(op.next)),
        point: pda.point(zone, commitmentOf(op.point)),
        ...ANY_LIMITS,
      });
    const verify = verification(op.message.key, enrolmentPayload(this.#networkId, op.message));
    const name = `replace ${op.meter} ${page} ${op.next} ${op.by} ${op.point}`;
    return { instructions: [verify, once(name, build, limitBytes(op.limits))], signers: [by] };
  }
}
