import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@gridtokenx/protocol';
import { OperatorError } from '@gridtokenx/runtime/core';
import type { Connection, Keypair } from '@solana/web3.js';
import { projectRoot } from '../root.js';
import { Deployment, type Parties } from './deployment.js';
import {
  connectionLimits,
  enrolGateway,
  gatewayScript,
  type Home,
  initGateway,
  writeGatewayConfig,
  writeMetersConfig,
} from './homes.js';
import { partyKey } from './keys.js';
import type { ReportedHome } from './report.js';
import { writeBroker, writeChainConfig, writeOracleConfig } from './service-configs.js';
import type { Site } from './site.js';
import { type ProcessSpec, runOnce } from './supervisor.js';

const CHAIN = join(projectRoot, 'tools/devnet/dist/chain/main.js');
const BROKER = join(projectRoot, 'broker/dist/main.js');
const ORACLE = join(projectRoot, 'oracle/dist/main.js');
const METERS = join(projectRoot, 'simulators/dist/meters-main.js');

/** Dependencies of the bring-up beside the site. */
export interface BringUp {
  readonly connection: Connection;
  readonly supervisor: { start(spec: ProcessSpec): Promise<void> };
  readonly say: (line: string) => void;
}

const runs = (name: string, script: string, config: string): ProcessSpec => ({
  name,
  script,
  args: ['run', '--config', config],
});

/**
 * Starts all services, one after the other, and enrols the homes. Simulated time has not started when it resolves.
 * Rejects with `OperatorError` naming the service that did not start.
 */
export async function bringUp(site: Site, deps: BringUp): Promise<ReportedHome[]> {
  const { paths, ports, plan, homes } = site;
  const { supervisor, say } = deps;
  const parties = partiesOf(site);
  const owners = homes.map((home) => partyKey(paths, `owner-${home.folder}`));
  say('Starting the chain: a real SVM node with the three programs ...');
  await startChain(site, deps, parties, owners);
  const deployment = new Deployment(deps.connection, parties);
  await deployment.fund([...Object.values(parties), ...owners].map((key: Keypair) => key.publicKey));
  const networkId = toHex(await deployment.initialise());
  // Before anything is signed for this network: a chain that restarted without it would be another network for good.
  await takeSnapshot(site);
  writeOracleConfig(site, networkId);
  const made = await runOnce(ORACLE, ['init', '--config', paths.oracleConfig]);
  const oracleKey = made.trim().split('\n').at(-1) ?? '';
  const gateways = await prepareGateways(site, owners, networkId, oracleKey);
  writeBroker(site, oracleKey, gateways);
  say('Starting the broker and the meters ...');
  await supervisor.start(runs('broker', BROKER, paths.brokerConfig));
  writeMetersConfig(homes, plan.profilesPath, paths, ports);
  await supervisor.start(runs('meters', METERS, paths.metersConfig));
  const reported = await enrol(site, deployment, { owners, gateways, say });
  await takeSnapshot(site);
  say('Starting the oracle and the gateways ...');
  await supervisor.start(runs('oracle', ORACLE, paths.oracleConfig));
  const gateway = (home: Home) => runs(`gateway-${home.number}`, gatewayScript, paths.gatewayConfig(home.folder));
  await Promise.all(homes.map((home) => supervisor.start(gateway(home))));
  return reported;
}

function partiesOf({ paths }: Site): Parties {
  return {
    authority: partyKey(paths, 'authority'),
    utility: partyKey(paths, 'utility'),
    installer: partyKey(paths, 'installer'),
    attestor: partyKey(paths, 'attestor'),
  };
}

async function startChain(site: Site, deps: BringUp, parties: Parties, owners: readonly Keypair[]): Promise<void> {
  writeChainConfig(site, parties, owners);
  await deps.supervisor.start({ name: 'chain', script: CHAIN, args: ['--config', site.paths.chainConfig] });
  const response = await fetch(`${site.chainUrl}/readyz`);
  const { problems = [] } = (await response.json()) as { problems?: string[] };
  for (const problem of problems) deps.say(`chain: ${problem}`);
}

async function takeSnapshot({ chainUrl }: Site): Promise<void> {
  const response = await fetch(`${chainUrl}/snapshot`, { method: 'POST' });
  if (response.ok) return;
  const { error } = (await response.json()) as { error?: string };
  throw new OperatorError({ code: 'no-snapshot', key: 'chain', problem: error ?? String(response.status), advice: '' });
}

function prepareGateways(
  site: Site,
  owners: readonly Keypair[],
  networkId: string,
  oracleKey: string,
): Promise<string[]> {
  const context = { paths: site.paths, ports: site.ports, networkId, oracleKey, speed: site.options.speed };
  return Promise.all(
    site.homes.map((home, i) => initGateway(writeGatewayConfig(home, owners[i]?.publicKey.toBase58() ?? '', context))),
  );
}

interface Enrolled {
  readonly owners: readonly Keypair[];
  /** Public keys in base58. */
  readonly gateways: readonly string[];
  readonly say: (line: string) => void;
}

async function enrol(
  { paths, homes }: Site,
  deployment: Deployment,
  { owners, gateways, say }: Enrolled,
): Promise<ReportedHome[]> {
  const reported: ReportedHome[] = [];
  for (const [i, home] of homes.entries()) {
    const [owner, gateway] = [owners[i], gateways[i]];
    if (!owner || !gateway) throw new Error(`home ${home.number} has no owner or gateway`);
    const out = paths.enrolment(home.folder);
    const isNew = !existsSync(out);
    const meter = await enrolGateway(paths.gatewayConfig(home.folder), out);
    await deployment.enrol(meter, owner, connectionLimits);
    if (home.destination === 'wallet') await deployment.mintToWallet(meter, owner);
    reported.push({ name: home.name, meterId: meter.meter_id, gateway, owner: owner.publicKey.toBase58() });
    if (!isNew) continue;
    const where = home.destination === 'wallet' ? 'to its owner' : 'to the pool';
    say(`home ${home.number} (${home.name}): ${home.model} over ${home.transport}, enrolled; tokens go ${where}`);
  }
  return reported;
}
