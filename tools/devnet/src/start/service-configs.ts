import type { Keypair } from '@solana/web3.js';
import type { ChainConfig } from '../chain/config.js';
import { writeJson, writeYaml } from '../files.js';
import { networkIn } from './data-folder.js';
import type { Parties } from './deployment.js';
import { BROKER_NAME, HOST } from './layout.js';
import type { Site } from './site.js';

/** Writes the chain's settings; its wallets are those of the parties and owners. */
export function writeChainConfig(site: Site, parties: Parties, owners: readonly Keypair[]): void {
  const { paths, ports, options } = site;
  const config: ChainConfig = {
    host: HOST,
    rpcPort: ports.rpc,
    wsPort: ports.webSocket,
    httpPort: ports.chainHttp,
    snapshotPath: paths.snapshot,
    networkId: networkIn(paths),
    folder: options.data,
    authority: parties.authority.publicKey.toBase58(),
    wallets: [...Object.values(parties), ...owners].map((key: Keypair) => key.publicKey.toBase58()),
  };
  writeJson(paths.chainConfig, config);
}

/** Writes the oracle's configuration for a network (hex). */
export function writeOracleConfig({ paths, ports, plan, rpcUrl, mqttUrl, chainUrl }: Site, networkId: string): void {
  writeYaml(paths.oracleConfig, {
    network_id: networkId,
    rpc_url: rpcUrl,
    data_dir: paths.oracleData,
    key_file: paths.oracleKey,
    attestor_key_file: paths.key('attestor'),
    broker: { url: mqttUrl, name: BROKER_NAME },
    page: { host: HOST, port: ports.page },
    service: { host: HOST, port: ports.service },
    clock: { simulated: paths.clock, utc_offset_minutes: plan.offsetMinutes },
    chain: { snapshot_url: `${chainUrl}/snapshot` },
  });
}

/** Writes the broker's configuration, and its list of clients: the oracle and the homes' gateways, keys in base58. */
export function writeBroker({ paths, ports, homes }: Site, oracleKey: string, gateways: readonly string[]): void {
  writeYaml(paths.brokerConfig, {
    name: BROKER_NAME,
    host: HOST,
    port: ports.mqtt,
    keysFile: paths.brokerKeys,
    http: { host: HOST, port: ports.brokerHttp },
  });
  const keys = [
    { publicKey: oracleKey, role: 'oracle', status: 'active', name: 'oracle' },
    ...gateways.map((publicKey, i) => ({
      publicKey,
      role: 'gateway',
      status: 'active',
      name: homes[i]?.folder ?? '',
    })),
  ];
  writeJson(paths.brokerKeys, { version: 1, keys });
}
