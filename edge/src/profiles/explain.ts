import { type LineCost, planReads, type ReadRequest } from '../planner/plan.js';
import { identityRegisters, polledRegisters } from '../planner/wanted.js';
import { probeRegisters } from './probe.js';
import type { Bills, MeterProfile, ModbusProfile, ProbeCheck } from './profile.js';
import { sunspecBills } from './sunspec.js';

/** Costs that matter only in relation to one another: they decide what one request reads. */
const COST: LineCost = { charTimeUs: 1_042, turnaroundUs: 50_000, pauseUs: 0, transport: 'rtu' };

/** Explains a profile for the person who writes it: one fact a line. */
export function explainProfile(profile: MeterProfile): string[] {
  const { id, manufacturer, models, variant, confidence, serial, limits } = profile;
  const settings = `${serial.baud} baud, parity ${serial.parity}, ${serial.stopBits} stop bit${serial.stopBits === 1 ? '' : 's'}`;
  return [
    `${id}: ${manufacturer} ${models.join(', ')}${variant === null ? '' : ` (${variant})`}`,
    `sure by ${confidence.level}: ${confidence.against}`,
    `bills ${billsText(profile.protocol === 'modbus' ? profile.bills : sunspecBills(profile))}`,
    `a new meter has ${settings}, unit ${serial.unit}${serial.assumed ? ' (assumed: no source says so)' : ''}`,
    `a request reads at most ${limits.maxRegisters} registers${limits.align === 2 ? ', in pairs' : ''}; ${limits.pauseMs} ms rest between two; a wait of at least ${limits.timeoutMinMs} ms; late answers may come for ${limits.quarantineMs} ms`,
    ...(profile.protocol === 'modbus'
      ? [...profile.probe.map((check) => `probe: ${checkText(check)}`), ...requestLines(profile)]
      : [
          `searches the SunSpec marker at ${profile.bases.join(', ')}`,
          `reads the SunSpec models ${profile.sunspecModels.join(', ')}: the device itself lists the registers`,
        ]),
  ];
}

function billsText({ import: draws, export: feeds }: Bills): string {
  if (draws && feeds) return 'import and export: a meter of any role';
  if (feeds) return 'export only: a production meter (role: production)';
  const has = draws ? 'it has no register for export' : 'it has no register for import or export';
  return `nothing: ${has}, so run refuses it`;
}

function checkText(check: ProbeCheck): string {
  return 'values' in check
    ? `${check.register} is ${check.values.join(' or ')}`
    : `${check.register} is ${check.min} to ${check.max}`;
}

function requestLines(profile: ModbusProfile): string[] {
  return checkedReads(profile).map(({ request, when }) => {
    const { function: code, address, count, registers } = request;
    return `${when}: function ${code}, registers ${address} to ${address + count - 1} (${registers.map(({ key }) => key).join(', ')})`;
  });
}

/** Lists each request of a poll, and those that are sent now and then: for the probe and for the meter's identity. */
export function checkedReads(profile: ModbusProfile): { readonly request: ReadRequest; readonly when: string }[] {
  const polled = planReads(polledRegisters(profile), profile.limits, COST);
  const held = (key: string) => polled.some(({ registers }) => registers.some((one) => one.key === key));
  const others = [...new Set([...probeRegisters(profile), ...identityRegisters(profile)])];
  const more = others.filter(({ key }) => !held(key));
  return [
    ...polled.map((request) => ({ request, when: 'each poll' })),
    ...planReads(more, profile.limits, COST).map((request) => ({ request, when: 'now and then' })),
  ];
}
