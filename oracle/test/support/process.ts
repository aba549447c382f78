import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base58Encode, publicKeyFromBase58, toHex } from '@gridtokenx/protocol';
import { sodiumSigner } from '@gridtokenx/runtime/node/sodium';
import { NETWORK } from '@gridtokenx/testing-kit/signed-journal';
import { Aedes } from 'aedes';
import type { MeterRecord } from '../../src/domain/ports.js';

export const ORACLE_SEED = new Uint8Array(32).fill(42);
export const ORACLE_KEY = sodiumSigner(ORACLE_SEED).publicKey;

/** Starts a real broker without sign-in; the project's broker has its own tests. */
export async function startBroker(onPort = 0): Promise<{ port: number; url: string; stop: () => Promise<void> }> {
  const aedes = await Aedes.createBroker();
  const server: Server = createServer((socket) => aedes.handle(socket));
  await new Promise<void>((resolve) => server.listen(onPort, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        aedes.close(() => server.close(() => resolve()));
      }),
  };
}

/** Makes a folder with the configuration of an oracle that has these meters and no chain. */
export function oracleFolder(meters: readonly MeterRecord[], brokerUrl: string, changes: object = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'gtx-oracle-'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'key'), `${toHex(ORACLE_SEED)}\n`, { mode: 0o600 });
  writeFileSync(join(directory, 'meters.json'), JSON.stringify({ version: 1, meters: meters.map(fileEntry) }));
  const file = join(directory, 'oracle.json');
  const config = {
    network_id: toHex(NETWORK),
    data_dir: 'data',
    key_file: 'key',
    meters_file: 'meters.json',
    broker: { url: brokerUrl, name: 'test' },
    page: { host: '127.0.0.1', port: 0 },
    service: { host: '127.0.0.1', port: 0 },
    ...changes,
  };
  writeFileSync(file, JSON.stringify(config, null, 2));
  return {
    directory,
    file,
    ledger: join(directory, 'data', 'ledger.sqlite'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function fileEntry(meter: MeterRecord) {
  return {
    meter_id: meter.meterId,
    owner: meter.owner,
    key: base58Encode(publicKeyFromBase58(base58Encode(meter.key))),
    signer: meter.signer,
    role: meter.role,
    zone: meter.zone,
    import_baseline_wh: String(meter.importBaselineWh),
    export_baseline_wh: String(meter.exportBaselineWh),
    export_limit_w: meter.exportLimitW,
    import_limit_w: meter.importLimitW,
    enrolment_window: meter.enrolmentWindow,
    key_epoch: meter.keyEpoch,
    register_step_wh: meter.registerStepWh,
  };
}

/** Resolves with the first result of `look` after a `poke` that is not null; rejects after `ms`. */
export class Condition {
  readonly #waiting = new Set<() => void>();

  poke(): void {
    for (const check of [...this.#waiting]) check();
  }

  until<T>(what: string, look: () => T | null, ms = 20_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look();
        if (found === null) return;
        clearTimeout(deadline);
        this.#waiting.delete(check);
        resolve(found);
      };
      const deadline = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`not within ${ms} ms: ${what}`));
      }, ms);
      this.#waiting.add(check);
      check();
    });
  }
}
