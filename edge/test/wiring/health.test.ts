import { expect, test } from 'vitest';
import type { GatewayFindings } from '../../src/domain/gateway.js';
import { gatewayHealth } from '../../src/wiring/health.js';

const WELL: GatewayFindings = {
  ...{ enrolment: [], meters: [], restored: [], background: [] },
  ...{ spool: null, broker: null, clone: null, clock: [], step: null },
};

test('what others read of a gateway that has gone says nothing of its connection, which is made before each session', () => {
  const broker = 'not connected to the broker yet';
  const found = { ...WELL, broker, spool: 'the disk is full' };
  const health = gatewayHealth({
    ...{ gateway: { findings: () => found }, frames: { problem: null }, now: () => 0 },
    ...{ oracles: () => [], buses: () => [], certificate: () => null, diskSpace: () => null },
  });
  expect(health.problems(true)).toEqual(['the disk is full', broker]);
  expect(health.problems(false)).toEqual(['the disk is full']);
  expect(health.report().problems).toContain(broker);
});
