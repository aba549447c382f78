import type { Model } from './model.js';
import { answer, conclude, dispute } from './model-disputes.js';
import { confirm, register, replace, rotate } from './model-meters.js';
import { activate, attest, submit, sync } from './model-slots.js';
import type { Outcome } from './model-state.js';
import { setStatus } from './model-status.js';
import { mintMeter, mintPage, retire, setDestination } from './model-token.js';
import * as zones from './model-zones.js';
import type { Of, Op } from './ops.js';

const RULES_OF: { readonly [K in Op['kind']]: (model: Model, op: Of<K>) => Outcome } = {
  clock: (model, op) => {
    model.time += op.seconds;
    return 'unchanged';
  },
  initialize: () => 'refused', // Config exists
  initializeToken: () => 'refused', // so does the mint
  createZone: (model, op) => zones.createZone(model, op, `utility ${op.zone}`),
  announce: zones.announce,
  install: zones.installAnnounced,
  cancel: zones.cancel,
  user: zones.registerUser,
  createPage: zones.createPage,
  createLedger: zones.createLedger,
  createBudget: zones.createBudget,
  register,
  confirm,
  status: setStatus,
  rotate,
  replace,
  attest,
  submit: (model, op) => submit(model, op.meter, op.said),
  dispute: (model, op) => dispute(model, op.meter, op.said),
  answer: (model, op) => answer(model, op.meter, op.said),
  conclude: (model, op) => conclude(model, op.meter),
  sync: (model, op) => sync(model, op.meter),
  activate: (model, op) => activate(model, op.meter),
  mintPage,
  mintMeter: (model, op) => mintMeter(model, op.meter),
  destination: setDestination,
  retire,
};

/** Returns the outcome of an op by the rules; the model is then in the state after it. */
export function apply(model: Model, op: Op): Outcome {
  const rule = RULES_OF[op.kind] as (model: Model, op: Op) => Outcome;
  return rule(model, op);
}
