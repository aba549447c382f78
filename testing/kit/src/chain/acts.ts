import { decodeDispute, decodeMeter, pda, SlotFlag } from '@gridtokenx/chain-client';
import type { Keypair, TransactionInstruction } from '@solana/web3.js';
import {
  answer,
  dispute,
  hostileProblems,
  type Rotation,
  refusal,
  rotate,
  type Said,
  setStatus,
  slotAt,
  sync,
} from './telemetry.js';
import { keyOf, START, type TestMeter, World, windowAt } from './world.js';

/** A world, the device-signed meter in its slot 0, and a gateway-signed meter in slot 1. */
export interface DeviceWorld {
  readonly world: World;
  readonly device: TestMeter;
}

/** Makes such a world, `windows` after its start. */
export function deviceWorld(windows: number): DeviceWorld {
  const world = new World().setUp();
  const [device] = world.addMeters(1, { message: { deviceSigned: true } }) as [TestMeter];
  world.addMeters(1, {}, 1);
  world.chain.time = START + 900 * windows;
  return { world, device };
}

/** Lists acts on a meter's record, in the world of the moment. Each act returns `accepted` or the refusal. */
export function recordActs(here: () => DeviceWorld) {
  const next = keyOf('next');
  const send = (list: readonly TransactionInstruction[], signers?: readonly Keypair[]) =>
    refusal(here().world, list, signers);
  return {
    next,
    send,
    record: (meter = here().device) => here().world.chain.get(pda.meter(here().world.zone, meter.id), decodeMeter),
    turn: (rotation: Partial<Rotation> = {}) => send(rotate(here().world, here().device, { key: next, ...rotation })),
    to: (status: Parameters<typeof setStatus>[2], meter = here().device) =>
      send([setStatus(here().world, meter, status)]),
    /** Suspends the meter, applies that to its slot, and closes it; returns the three answers. */
    close: () => {
      const { world, device } = here();
      return [[setStatus(world, device, 'suspended')], [sync(world, device)], [setStatus(world, device, 'closed')]].map(
        (list) => send(list),
      );
    },
    hostile: (list: readonly TransactionInstruction[]) => hostileProblems(here().world, list),
  };
}

/** Lists acts in a dispute about slot 0, in the world of the moment. */
export function disputeActs(here: () => DeviceWorld) {
  const enrolled = windowAt(START);
  return {
    attest: (step: number, exportWh: bigint, importWh = 7n) => {
      const window = enrolled + step;
      const items = here().world.items(window, new Map([[0, { exportWh, importWh }]]));
      return here().world.attest({ window, items });
    },
    open: (what: Said, meter = here().device, slot = 0) =>
      refusal(here().world, dispute(here().world, meter, slot, what)),
    reply: (what: Said) => refusal(here().world, answer(here().world, here().device, 0, what)),
    found: (slot = 0) => here().world.chain.get(pda.dispute(here().world.zone, 0, slot), decodeDispute),
    isDisputed: () => (slotAt(here().world, 0).flags & SlotFlag.disputed) !== 0,
  };
}
