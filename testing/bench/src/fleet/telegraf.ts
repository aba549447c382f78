import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { projectRoot } from '@gridtokenx/devnet/root';
import { seedOf, signIn } from '../brokers.js';
import { cpuMsOf, type Measured, peakMbOf } from '../processes.js';
import type { Arrivals } from './arrivals.js';
import { REGISTERS } from './meter-table.js';

const SCRIPT = join(projectRoot, 'testing/campaigns/peers/telegraf.sh');
const MAX_BUILD_MS = 15 * 60_000;
/** Bounds one run of Telegraf, s. */
const MAX_RUN_SECONDS = 1_200;
/** Rest before Telegraf is started again, ms, as systemd has it. */
const RESTART_MS = 100;
const TOPIC = 'telegraf/meters';
const RETRY_MS = 200;
/** Metrics that it keeps while the broker is away: the default of 10,000 holds 20 s of 500 meters. */
const BUFFERED = 200_000;

/** Returns the path of Telegraf, which its script builds where it is missing; null where that is impossible. */
export function findTelegraf(): string | null {
  const { status, stdout } = spawnSync('sh', [SCRIPT], { encoding: 'utf8', timeout: MAX_BUILD_MS });
  const path = stdout?.trim().split('\n').at(-1) ?? '';
  return status === 0 && path !== '' ? path : null;
}

export type BufferStrategy = 'memory' | 'disk';

/**
 * Returns the configuration of Telegraf that reads `REGISTERS` values of each meter every second and publishes them with
 * QoS 1.
 */
export function telegrafConfig(
  ports: readonly number[],
  brokerPort: number,
  buffer: { readonly strategy: BufferStrategy; readonly folder: string },
): string {
  const fields = Array.from(
    { length: REGISTERS },
    (_, at) => `      { address = ${at}, name = "r${at}", type = "UINT16" },`,
  );
  const inputs = ports.map(
    (port, meter) => `[[inputs.modbus]]
  name = "meter"
  timeout = "1s"
  controller = "tcp://127.0.0.1:${port}"
  transmission_mode = "TCP"
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = 1
    byte_order = "ABCD"
    register = "input"
    fields = [
${fields.join('\n')}
    ]
  [inputs.modbus.tags]
    meter = "${meter}"`,
  );
  const place = buffer.strategy === 'disk' ? `\n  buffer_directory = "${buffer.folder}"` : '';
  return `[agent]
  interval = "1s"
  flush_interval = "1s"
  metric_buffer_limit = ${BUFFERED}
  buffer_strategy = "${buffer.strategy}"${place}
  omit_hostname = true
${inputs.join('\n')}
[[outputs.mqtt]]
  servers = ["tcp://127.0.0.1:${brokerPort}"]
  topic = "${TOPIC}"
  qos = 1
  data_format = "json"
`;
}

/**
 * Starts Telegraf with a configuration file, and again when it ends by itself, as a supervisor does: it ends 15 s after a
 * start without a broker.
 */
export function startTelegraf(program: string, file: string): Measured {
  let isEnding = false;
  let exited: Promise<void> = Promise.resolve();
  let child = begin();
  function begin(): ChildProcess {
    const begun = spawn(program, ['--config', file, '--quiet'], { stdio: 'ignore' });
    exited = new Promise((resolve) => {
      begun.once('exit', () => {
        if (isEnding) resolve();
        else
          setTimeout(() => {
            if (isEnding) resolve();
            else child = begin();
          }, RESTART_MS);
      });
    });
    return begun;
  }
  const timer = setTimeout(() => void end('SIGKILL'), MAX_RUN_SECONDS * 1_000);
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    isEnding = true;
    clearTimeout(timer);
    child.kill(signal);
    await exited;
  };
  return {
    get pid() {
      return child.pid ?? 0;
    },
    peakMb: () => peakMbOf(child.pid ?? 0),
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

export function writeTelegrafConfig(folder: string, text: string): string {
  const file = join(folder, 'telegraf.conf');
  writeFileSync(file, text);
  return file;
}

/** Records what Telegraf publishes through a broker, which may go and come back. Call the result to end. */
export function collectTelegraf(brokerPort: number, arrivals: Arrivals): () => Promise<void> {
  const end = new AbortController();
  const ended = new Promise<void>((resolve) => end.signal.addEventListener('abort', () => resolve()));
  const follow = async () => {
    while (!end.signal.aborted) {
      try {
        const client = await signIn(brokerPort, seedOf(9), (_, packet) => takeMetric(packet, arrivals));
        await client.subscribe([TOPIC]);
        await Promise.race([client.failed, ended]);
        client.close();
      } catch {
        // The broker is away: it is tried again below.
      }
      if (!end.signal.aborted) await Promise.race([delay(RETRY_MS), ended]);
    }
  };
  const work = follow();
  return async () => {
    end.abort();
    await work;
  };
}

/** Records a metric; one without every field counts as absent. */
export function takeMetric(packet: Uint8Array, arrivals: Arrivals): void {
  const { tags, timestamp, fields } = JSON.parse(Buffer.from(packet).toString()) as {
    tags: { meter: string };
    timestamp: number;
    fields: Record<string, number>;
  };
  if (Object.keys(fields).length === REGISTERS) arrivals.value(tags.meter, timestamp);
}
