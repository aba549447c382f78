import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { base58Decode, fromHex, parseSign1, sigStructure } from '@gridtokenx/protocol';
import { provedVerifier } from '@gridtokenx/runtime/node';
import { GATEWAY_V1 } from '@gridtokenx/testing-kit/gateway-directory';
import { build, command, temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { copyGatewayV1 } from '../support/gateway-copy.js';

const START_MS = Date.UTC(2026, 0, 1, 10, 0);
const verifier = provedVerifier();
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const isBy = (key: Uint8Array, bytes: Uint8Array) => {
  const { payload, signature } = parseSign1(bytes);
  return verifier.verify(signature, sigStructure(payload), key);
};

describe('the command rotate-key', () => {
  beforeAll(build);

  test('writes the file for the utility, ends the rotation when it is approved, and repeats both', async () => {
    const config = copyGatewayV1(join(directory.path, 'data'));
    const clock = {
      version: 1,
      speed: 1,
      anchorSimMs: START_MS,
      anchorRealMs: Date.now(),
      reservedThroughMs: 4e12,
      segments: [],
    };
    writeFileSync(join(directory.path, 'clock.json'), JSON.stringify(clock));
    const path = join(directory.path, 'gateway.yaml');
    const text = readFileSync(join(GATEWAY_V1, 'config.yaml'), 'utf8').replace(/^data_dir:.*$/m, '');
    const own = `data_dir: ${config.data_dir}\nclock:\n  simulated: ${join(directory.path, 'clock.json')}\n`;
    writeFileSync(path, `${text.replace(/^clock:\n( .*\n)*/m, '')}\n${own}`);
    const out = join(directory.path, 'rotation.json');
    const rotate = (...options: string[]) => command('edge/dist/main.js', ['rotate-key', ...options, '--config', path]);
    for (const wrong of [['nobody', '--out', out], ['pv'], ['pv', '--out', out, '--approved']]) {
      const { code, output } = await rotate(...wrong);
      expect([wrong, code, output.trim().split('\n').length]).toEqual([wrong, 2, 1]);
    }
    const made = await rotate('pv', '--out', out);
    expect([made.code, made.output]).toEqual([0, expect.stringContaining('for the utility')]);
    const [entry] = JSON.parse(readFileSync(out, 'utf8'));
    expect(isBy(base58Decode(entry.key), fromHex(entry.message))).toBe(true);
    expect(isBy(base58Decode(entry.old_key), fromHex(entry.old_message))).toBe(true);
    expect(entry).toMatchObject({ name: 'pv', key_epoch: 1 });
    const acks = join(config.data_dir, 'state', 'acks.json');
    const fallen = readFileSync(acks, 'utf8');
    writeFileSync(acks, fallen.replace(/"20"/g, '"5000"'));
    const early = await rotate('pv', '--approved');
    expect([early.code, early.output]).toEqual([2, expect.stringContaining('still acknowledge its present key')]);
    writeFileSync(acks, fallen);
    for (let again = 0; again < 2; again++) {
      const { code, output } = await rotate('pv', '--approved');
      expect([code, output]).toEqual([0, expect.stringContaining(entry.key)]);
    }
  }, 60_000);
});
