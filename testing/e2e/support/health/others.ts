import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditResult } from '@gridtokenx/audit/main';
import { accountDiscriminator, accountSizes, pda, programIds } from '@gridtokenx/chain-client';
import { diskFiles, Generations } from '@gridtokenx/devnet/chain/generations';
import { type ChainCondition, chainHealth } from '@gridtokenx/devnet/chain/health';
import { Keeper } from '@gridtokenx/devnet/chain/keeper';
import type { Snapshot } from '@gridtokenx/devnet/chain/snapshot';
import { type StartCondition, startHealth } from '@gridtokenx/devnet/start/health';
import { ServiceWatch, TELL_AFTER_MS } from '@gridtokenx/devnet/start/service-watch';
import { Supervisor } from '@gridtokenx/devnet/start/supervisor';
import { KeysFile } from '#broker/adapters/keys-file.js';
import { type BrokerCondition, brokerHealth } from '#broker/health.js';
import type { Stage } from './stage.js';

const quiet = { info() {}, warn() {}, error() {} };
const folderOf = () => mkdtempSync(join(tmpdir(), 'health-'));
const now = () => 1;

function broker(
  words: RegExp,
  spoil: (parts: { server: { listening: boolean }; file: string; keys: KeysFile; expire: () => void }) => void,
): Stage {
  return () => {
    const folder = folderOf();
    const file = join(folder, 'keys.json');
    writeFileSync(file, '{"version":1,"keys":[]}');
    const keys = new KeysFile(file, quiet);
    const server = { listening: true };
    let certificate: string | null = null;
    const health = brokerHealth({ server, keys, certificate: () => certificate, now });
    const expire = () => {
      certificate = 'cert.pem has expired';
    };
    return {
      ...{ report: () => health.report(), words, spoil: () => spoil({ server, file, keys, expire }) },
      end: () => rmSync(folder, { recursive: true }),
    };
  };
}

export const brokerStages: Readonly<Record<BrokerCondition, Stage>> = {
  listener: broker(/MQTT is not served/, ({ server }) => {
    server.listening = false;
  }),
  'keys file': broker(/the last one stays/, ({ file, keys }) => {
    writeFileSync(file, '{"version":1,"keys":[{}]}   ');
    keys.refresh();
  }),
  certificate: broker(/has expired/, ({ expire }) => expire()),
};

/** Returns a chain of a network: its registry's Config account. */
export function chainOf(network: number): Snapshot {
  const data = Buffer.alloc(accountSizes.Config);
  data.set(accountDiscriminator('Config'));
  data.fill(network, 88, 96);
  const account = {
    data: [data.toString('base64'), 'base64'],
    executable: false,
    lamports: 1,
    owner: programIds.registry.toBase58(),
  };
  return { slot: 1, takenAtMs: 1, accounts: [{ pubkey: pda.config().toBase58(), account }] } as unknown as Snapshot;
}

interface ChainStage {
  snapshot: Snapshot;
  findings: string[];
  problems: string[];
  node: string | null;
  isFull: boolean;
  keeper: Keeper;
}

function chain(words: RegExp, spoil: (parts: ChainStage) => Promise<unknown> | unknown): Stage {
  return async () => {
    const folder = folderOf();
    const parts = {
      snapshot: chainOf(1),
      findings: [],
      problems: [],
      node: null,
      isFull: false,
    } as unknown as ChainStage;
    const write = (path: string, text: string) => {
      if (parts.isFull) throw Object.assign(new Error('x'), { code: 'ENOSPC', errno: -28, syscall: 'write' });
      diskFiles.write(path, text);
    };
    const generations = new Generations(join(folder, 'snapshot.json'), { ...diskFiles, write });
    parts.keeper = new Keeper({
      ...{ generations, networkId: null, folder, problems: parts.problems },
      take: async () => parts.snapshot,
      check: async () => ({ ok: parts.findings.length === 0, findings: parts.findings }) as unknown as AuditResult,
    });
    const health = chainHealth({ keeper: parts.keeper, node: () => parts.node, now });
    return {
      ...{ report: () => health.report(), words },
      async spoil() {
        await spoil(parts);
        await parts.keeper.snapshot().catch(() => {});
      },
      end: () => rmSync(folder, { recursive: true }),
    };
  };
}

export const chainStages: Readonly<Record<ChainCondition, Stage>> = {
  restored: chain(/truncated/, (parts) => {
    parts.problems.push('snapshot.json is truncated or changed');
    // Until the next snapshot is written.
    parts.keeper.snapshot = async () => 0;
  }),
  invariants: chain(/supply is 7, minted is 6/, (parts) => parts.findings.push('supply is 7, minted is 6')),
  network: chain(/is of network 02/, async (parts) => {
    await parts.keeper.snapshot();
    parts.snapshot = chainOf(2);
  }),
  snapshot: chain(/the disk is full/, (parts) => {
    parts.isFull = true;
  }),
  node: chain(/did not answer 2 times/, (parts) => {
    parts.node = 'the node did not answer 2 times';
  }),
};

const none = { supervisor: { problems: () => [] }, services: { problems: () => [] } };

export const startStages: Readonly<Record<StartCondition, Stage>> = {
  async processes() {
    const folder = folderOf();
    const script = join(folder, 'child.mjs');
    const flag = join(folder, 'ended');
    // The first run is ready and ends on demand; later runs are never ready.
    writeFileSync(
      script,
      `import { existsSync, watch, writeFileSync } from 'node:fs';
       process.on('disconnect', () => process.exit(0));
       const end = () => existsSync(${JSON.stringify(flag)}) && (console.error('port taken'), process.exit(2));
       if (existsSync(${JSON.stringify(flag)})) setInterval(() => {}, 1_000);
       else { setInterval(end, 20); process.send({ type: 'ready' }); }`,
    );
    let said: (line: string) => void = () => {};
    const supervisor = new Supervisor(folder, (line) => said(line));
    await supervisor.start({ name: 'broker', script, args: [] });
    const health = startHealth({ supervisor, services: { problems: () => [] }, clock: () => null, now });
    return {
      ...{ report: () => health.report(), words: /broker ended \(exit code 2\): port taken, and is not back/ },
      async spoil() {
        const ended = new Promise<void>((resolve) => {
          said = () => resolve();
        });
        writeFileSync(flag, '');
        await ended;
      },
      async end() {
        await supervisor.stop(['broker']);
        rmSync(folder, { recursive: true });
      },
    };
  },
  services() {
    let ms = 0;
    let problem: string | null = null;
    const ask = async () => ({ ok: true, problems: [], conditions: [{ name: 'mint', problem, since_ms: 0 }] });
    const services = new ServiceWatch(
      [{ name: 'oracle', url: 'x' }],
      () => {},
      ask,
      () => ms,
    );
    const health = startHealth({ ...none, services, clock: () => null, now });
    return {
      ...{ report: () => health.report(), words: /oracle, mint: refused/ },
      async spoil() {
        problem = 'refused';
        await services.poll();
        ms += TELL_AFTER_MS;
        await services.poll();
      },
    };
  },
  'simulated clock'() {
    let clock: string | null = null;
    const health = startHealth({ ...none, clock: () => clock, now });
    return {
      ...{ report: () => health.report(), words: /the disk is full/ },
      spoil: () => {
        clock = '/data: the disk is full: make room';
      },
    };
  },
};
