const none = { import_wh: '0', export_wh: '0' };

const CASES: readonly object[] = [
  {
    name: 'a day: import at night, export at noon, the inverter draws power in the dark',
    enrolled: none,
    production: [
      [100, '10', '5000', 64, 50],
      [101, '13', '5000', 64, 50],
      [102, '13', '5900', 64, 70],
      [103, '13', '6100', 64, 50],
    ],
    consumption: [
      [100, '70000', '0', 64, 50],
      [101, '70200', '0', 64, 50],
      [102, '70500', '0', 64, 50],
      [103, '70700', '0', 64, 50],
    ],
    statements: [
      [100, '0', '0', 320, 50, '0'],
      [101, '203', '0', 320, 50, '-203'],
      [102, '203', '600', 320, 70, '600'],
      [103, '203', '600', 320, 50, '0'],
    ],
  },
  {
    name: 'a missing meter: the span grows and has one surplus with one sign',
    enrolled: { import_wh: '7', export_wh: '9' },
    production: [
      [100, '0', '0', 64, 50],
      [101, '0', '500', 64, 50],
      [103, '0', '500', 64, 50],
    ],
    consumption: [
      [100, '0', '0', 64, 50],
      [102, '0', '0', 64, 50],
      [103, '800', '0', 64, 50],
    ],
    statements: [
      [100, '7', '9', 320, 50, '0'],
      [103, '307', '9', 320, 50, '-300'],
    ],
  },
  {
    name: 'stale, unsynchronised and discontinuous statements close nothing; other bits are kept',
    enrolled: none,
    production: [
      [100, '0', '0', 64, 50],
      [101, '0', '100', 65, 50],
      [102, '0', '200', 66, null],
      [103, '0', '300', 72, 50],
      [104, '0', '400', 68, 50],
    ],
    consumption: [
      [100, '0', '0', 64, 50],
      [101, '10', '0', 64, 50],
      [102, '20', '0', 64, 50],
      [103, '30', '0', 64, 50],
      [104, '40', '0', 80, null],
    ],
    statements: [
      [100, '0', '0', 320, 50, '0'],
      [104, '0', '360', 340, null, '360'],
    ],
  },
  {
    name: 'a register that fell: a new base, the registers stay, the next span counts from it',
    enrolled: none,
    production: [
      [100, '0', '1000', 64, 50],
      [101, '0', '1500', 64, 50],
      [102, '0', '20', 64, 50],
      [103, '0', '90', 64, 50],
    ],
    consumption: [
      [100, '0', '0', 64, 50],
      [101, '100', '0', 64, 50],
      [102, '200', '0', 64, 50],
      [103, '210', '0', 64, 50],
    ],
    statements: [
      [100, '0', '0', 320, 50, '0'],
      [101, '0', '400', 320, 50, '400'],
      [102, '0', '400', 328, 50, '0'],
      [103, '0', '460', 320, 50, '60'],
    ],
  },
  {
    name: 'a battery behind the consumption meter: what flows back out of it adds to the surplus',
    enrolled: none,
    production: [
      [100, '0', '0', 64, 50],
      [101, '0', '100', 64, 50],
    ],
    consumption: [
      [100, '5', '5', 0, 50],
      [101, '5', '255', 0, 50],
    ],
    statements: [
      [100, '0', '0', 320, 50, '0'],
      [101, '0', '350', 320, 50, '350'],
    ],
  },
  {
    name: 'the largest registers',
    enrolled: none,
    production: [
      [4294967294, '0', '0', 64, 50],
      [4294967295, '0', '18446744073709551615', 64, 50],
    ],
    consumption: [
      [4294967294, '18446744073709551614', '0', 64, 50],
      [4294967295, '18446744073709551615', '0', 64, 50],
    ],
    statements: [
      [4294967294, '0', '0', 320, 50, '0'],
      [4294967295, '0', '18446744073709551614', 320, 50, '18446744073709551614'],
    ],
  },
];

/**
 * Derived connection points, computed by hand from the rule [wire §5.1] and not by the code. A line of a meter is [window,
 * import_wh, export_wh, quality, uncertainty_ms]. A line of the point has the same columns and the surplus of its span. Quality
 * 64 = signed by the gateway, 320 = signed by the gateway and derived.
 */
export function pointCases(): object[] {
  return [...CASES];
}
