import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodePayload, encodePayload, fromHex, parseSign1, Quality, toHex } from '@gridtokenx/protocol';
import { systemClock } from '@gridtokenx/runtime/node';
import { build, command, temporaryDirectory } from '@gridtokenx/testing-kit/processes';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';

import { nodeDisk } from '../src/adapters/disk/node-disk.js';
import { openSpool } from '../src/adapters/spool/spool.js';
import { type StatementFile, writeStatement } from '../src/cli/statement-command.js';
import { signMessage } from '../src/domain/signed-message.js';
import type { GatewayConfig } from '../src/wiring/config.js';
import { keyStore, plateOf } from '../src/wiring/setup.js';
import { SEGMENT_BYTES } from '../src/wiring/sizes.js';

let directory: ReturnType<typeof temporaryDirectory>;
let config: GatewayConfig;
let out: string;
beforeAll(build);
beforeEach(() => {
  directory = temporaryDirectory();
  out = join(directory.path, 'statement.json');
  const meter = { name: 'house', manufacturer: 'Eastron', model: 'SDM630', serial: '4711' };
  config = { network_id: '0011223344556677', data_dir: directory.path, meters: [meter] } as unknown as GatewayConfig;
});
afterEach(() => directory.remove());

/** Writes a spool on a real disk with statements for these windows. */
async function spoolOf(windows: readonly number[], quality = 64) {
  const [meter] = config.meters;
  if (!meter) throw new Error('no meter');
  const key = await keyStore(config).meter(meter.name, plateOf(meter), true);
  const { spool } = await openSpool(nodeDisk, join(directory.path, 'spool'), systemClock, () => {}, SEGMENT_BYTES);
  for (const window of windows) {
    const payload = encodePayload({
      kind: 2,
      networkId: fromHex(config.network_id),
      meterId: key.meterId,
      seq: BigInt(window),
      window,
      importWh: 1_000n + BigInt(window),
      exportWh: 2_000n + BigInt(window),
      readingCount: 15,
      quality,
      timeUncertaintyMs: 1,
      readingsRoot: new Uint8Array(32),
    });
    await spool.append([signMessage(payload, key.signer)]);
  }
  await spool.close();
  return key;
}

/** Reads every file below the data directory, to show that a command changed none. */
function everything(): Record<string, string> {
  const files = readdirSync(directory.path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory.path, name))
    .filter((path) => path !== out && statSync(path).isFile());
  return Object.fromEntries(files.map((path) => [path, readFileSync(path, 'hex')]));
}

test('writes the signed bytes as they stand in the spool, and changes nothing', async () => {
  const key = await spoolOf([10, 11, 12]);
  const before = everything();
  await writeStatement(config, { window: 11, out });
  const file = JSON.parse(readFileSync(out, 'utf8')) as StatementFile;
  expect(file).toMatchObject({ version: 1, meter_id: toHex(key.meterId), window: 11, export_wh: '2011' });
  expect(decodePayload(parseSign1(fromHex(file.message)).payload)).toMatchObject({ kind: 2, window: 11, seq: 11n });
  expect(everything()).toEqual(before);
});

test('a torn tail stays as it is: the gateway may be writing it', async () => {
  await spoolOf([10, 11]);
  const path = join(directory.path, 'spool', 's-00000001.seg');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(path, readFileSync(path).subarray(0, -20));
  const before = everything();
  await writeStatement(config, { window: 10, out });
  await expect(writeStatement(config, { window: 11, out })).rejects.toThrow(
    'the newest signed statement is of window 10',
  );
  expect(everything()).toEqual(before);
});

test.each([
  [13, 'there is no statement of meter house for window 13: the newest signed statement is of window 12'],
  [9, 'there is no statement of meter house for window 9: the spool no longer has it, the oldest is of window 10'],
  [11, 'the gateway signed none, or its record is damaged (the spool has only some of the windows 10 to 12)'],
])('window %i is named as missing', async (window, words) => {
  await spoolOf([10, 12]);
  await expect(writeStatement(config, { window, out })).rejects.toThrow(words);
});

test('says what is missing: no statements, no such meter, no keys', async () => {
  await expect(writeStatement(config, { window: 1, out })).rejects.toThrow(/init/);
  await spoolOf([]);
  await expect(writeStatement(config, { window: 1, out })).rejects.toThrow('the spool has none of this meter');
  await expect(writeStatement(config, { window: 1, out, meter: 'barn' })).rejects.toThrow(
    'there is no meter "barn": the configuration has house',
  );
});

test('asks which meter is meant where there are two, and takes the one that is named', async () => {
  await spoolOf([10]);
  const barn = { name: 'barn', manufacturer: 'Eastron', model: 'SDM630', serial: '4712' };
  const two = { ...config, meters: [...config.meters, barn] } as unknown as GatewayConfig;
  await keyStore(two).meter(barn.name, plateOf(barn as never), true);
  await expect(writeStatement(two, { window: 10, out })).rejects.toThrow(
    'give --meter: the configuration has house, barn',
  );
  await expect(writeStatement(two, { window: 10, out, meter: 'garage' })).rejects.toThrow(
    'there is no meter "garage": the configuration has house, barn',
  );
  await expect(writeStatement(two, { window: 10, out, meter: 'barn' })).rejects.toThrow(
    'there is no statement of meter barn for window 10: the spool has none of this meter',
  );
  await writeStatement(two, { window: 10, out, meter: 'house' });
  expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ window: 10, import_wh: '1010', export_wh: '2010' });
});

test.each([
  [64, 0],
  [Quality.stale, 1],
])('says of a statement of quality %i whether a chain takes it', async (quality, notes) => {
  const note = vi.spyOn(console, 'error').mockImplementation(() => {});
  await spoolOf([10], quality);
  await writeStatement(config, { window: 10, out });
  expect(note).toHaveBeenCalledTimes(notes);
  note.mockRestore();
});

test.each([
  [['statement', '--config', 'x', '--window', 'abc', '--out', 'y'], /--window.*expected a whole number/],
  [['statement', '--config', 'x', '--window', '5'], /required option '--out/],
  [['statement', '--config', '/nowhere.yaml', '--window', '5', '--out', 'y'], /nowhere\.yaml.*cannot be read/],
])('the command line %j is refused in one line with exit code 2', async (args, words) => {
  const { code, output } = await command('edge/dist/main.js', args);
  expect(code).toBe(2);
  expect(output.trim().split('\n').length).toBe(1);
  expect(output).toMatch(words);
});
