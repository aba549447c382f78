// Reported in matfroh/sax_battery_ha #128, with a trace of the bytes: the first SunSpec model states length 15 for its 11
// registers, because it counts its header and the marker too. The next model stands behind 13 registers. The device
// gives no answer where it has no registers.
import { expect, test } from 'vitest';
import { FieldCase } from '../../support/field-case.js';
import { SunspecDevice } from '../../support/sunspec-device.js';
import { replyOf, wordsMeter } from '../../support/tcp-device.js';

const field = new FieldCase();
const OPTIONS = { profile: 'sunspec-inverter', role: 'production', unit: 100 };
/** The first 13 registers behind the marker, as in the trace. */
const COMMON = [1, 15, 0x5341, 0x5850, 0x4f57, 0x4552, 0x484f, 0x4d45, 0x2d20, 0x17, 0x38, 0x3bbf, 0x6920];
const LENGTH = 'model 1 at 40002 states length 15, which leads to no model: its length is 11';

/** `end`: the list ends as SunSpec demands; else nothing follows the inverter. */
function battery(end: boolean) {
  const proper = new SunspecDevice([103]);
  const words = new Map(COMMON.map((word, i) => [40_002 + i, word]));
  words.set(40_000, 0x5375).set(40_001, 0x6e53);
  for (const [address, word] of proper.words) if (address >= 40_070) words.set(address - 40_070 + 40_015, word);
  // The register behind the stated length reads as a model that the gateway does not know.
  words.set(40_019, 225).set(40_020, 146);
  if (!end) for (const address of [40_067, 40_068]) words.delete(address);
  const meter = wordsMeter(words);
  return field.device({
    meter,
    reply: (request, answer) => (typeof answer === 'number' ? null : replyOf(request, answer)),
  });
}

test('the model behind the odd length is found and read', async () => {
  const { port } = await battery(true);
  const { reader } = field.open(port, OPTIONS);
  expect(await reader.read()).toMatchObject({ exportWh: 123_450n, powerW: 1_500 });
  expect(reader.notes()).toEqual([`its SunSpec list is odd: ${LENGTH}`]);
});

test('a list that then ends in silence is kept, and both oddities are named', async () => {
  const { port } = await battery(false);
  const { reader } = field.open(port, { ...OPTIONS, requestMs: 100 });
  expect(await reader.read()).toMatchObject({ exportWh: 123_450n });
  expect(reader.notes()).toEqual([
    `its SunSpec list is odd: ${LENGTH}; model 103 at 40015 states length 50, after which the device has no register 40067`,
  ]);
});
