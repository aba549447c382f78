import { ConfigError } from '@gridtokenx/runtime/node';
import { describe, expect, it } from 'vitest';
import { parseText, readConfig } from '../../src/wiring/config.js';

const GOOD = `# an oracle with a chain
network_id: 0102030405060708
data_dir: data
key_file: keys/oracle
rpc_url: http://127.0.0.1:8899
attestor_key_file: keys/attestor.json
broker:
  url: mqtt://127.0.0.1:1883
  name: gridtokenx-dev
page: { port: 8080 }
`;

const KEY = 'SysvarC1ock11111111111111111111111111111111';

function fault(text: string): string {
  try {
    parseText(text, 'o.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  return 'taken';
}

describe('configuration', () => {
  it('is taken as YAML and as JSON, with defaults only where they are harmless', () => {
    const config = parseText(`${GOOD.replace('0102030405060708', '"0102030405060708"')}attest: {}\n`, 'o.yaml');
    expect(config.attest).toEqual({ grace_ms: 3_000, commitment: 'confirmed' });
    expect(config.page).toMatchObject({ host: '127.0.0.1', connections: 256, connections_per_address: 32 });
    expect(parseText(JSON.stringify({ ...config }), 'o.json')).toEqual(config);
  });

  it.each([
    ['a number for a text', GOOD, 'o.yaml:2: network_id: '],
    ['fewer threads than none', quoted(`${GOOD}verify_threads: -1\n`), 'o.yaml:11: verify_threads: '],
    ['a part of a thread', quoted(`${GOOD}verify_threads: 1.5\n`), 'o.yaml:11: verify_threads: '],
    ['an unknown key', quoted(`${GOOD}colour: red\n`), 'o.yaml:11: colour: unknown key'],
    [
      'an unknown key inside',
      quoted(GOOD.replace('  name: gridtokenx-dev', '  name: x\n  nmae: y')),
      'o.yaml:10: broker.nmae: unknown key',
    ],
    ['a missing key', quoted(GOOD.replace('data_dir: data\n', '')), 'o.yaml:1: data_dir: is missing'],
    ['a port out of range', quoted(GOOD.replace('8080', '80800')), 'o.yaml:10: page.port: '],
    [
      'another protocol',
      quoted(GOOD.replace('mqtt://', 'http://')),
      'o.yaml:8: broker.url: expected a URL such as mqtt://127.0.0.1:18803; correct it',
    ],
    [
      'a password in the address',
      quoted(GOOD.replace('mqtt://', 'mqtt://u:secret@')),
      'o.yaml:8: broker.url: no user or password here: sign-in is by key; correct it',
    ],
    [
      'no address at all',
      quoted(GOOD.replace(/mqtt:[^"\n]*/, 'nonsense')),
      'o.yaml:8: broker.url: expected a URL such as mqtt://127.0.0.1:18803; correct it',
    ],
    [
      'no host in the address',
      quoted(GOOD.replace(/mqtt:[^"\n]*/, 'mqtt:///')),
      'o.yaml:8: broker.url: expected a URL such as',
    ],
    [
      'an authority without TLS',
      quoted(GOOD.replace('  name: gridtokenx-dev', '  name: x\n  ca_file: ca.pem')),
      'o.yaml:10: broker.ca_file: means nothing without TLS: write the url with mqtts://',
    ],
    [
      'an authority for a peer without TLS',
      quoted(
        `${GOOD}service: { host: 127.0.0.1, port: 1 }\npeers:\n  - { oracle: ${KEY}, attestor: ${KEY}, url: "http://10.0.0.2", ca_file: ca.pem }\n`,
      ),
      'o.yaml:13: peers.0.ca_file: means nothing without TLS: write the url with https://',
    ],
    [
      'a password for a peer',
      quoted(
        `${GOOD}service: { host: 127.0.0.1, port: 1 }\npeers:\n  - { oracle: ${KEY}, attestor: ${KEY}, url: "https://a:b@10.0.0.2" }\n`,
      ),
      'o.yaml:13: peers.0.url: no user or password here: requests are signed',
    ],
    [
      'a certificate without its key',
      quoted(GOOD.replace('port: 8080 }', 'port: 8080, tls: { cert_file: c.pem } }')),
      'o.yaml:10: page.tls.key_file: ',
    ],
    [
      'a chain without attestor',
      quoted(GOOD.replace(/attestor.*\n/, '')),
      'o.yaml:1: attestor_key_file: is needed with rpc_url',
    ],
    [
      'two sources of meters',
      quoted(`${GOOD}meters_file: m.json\n`),
      'o.yaml:5: rpc_url: give either rpc_url or meters_file',
    ],
    [
      'a commitment that settles nothing',
      quoted(`${GOOD}attest: { commitment: processed }\n`),
      'o.yaml:11: attest.commitment: ',
    ],
    [
      'a password in an address',
      quoted(`${GOOD}influx: { url: "http://me:secret@h:8086", org: o, bucket: b, token_file: t }\n`),
      'o.yaml:11: influx.url: no user or password here: give token_file',
    ],
    [
      'a peer whose key is none',
      quoted(
        `${GOOD}service: { host: 127.0.0.1, port: 1 }\npeers:\n  - { oracle: abc, attestor: abc, url: "http://h:1" }\n`,
      ),
      'o.yaml:13: peers.0.oracle: must be a public key in base58',
    ],
    [
      'more signatures than there are oracles',
      quoted(`${GOOD}threshold: 2\n`),
      'o.yaml:11: threshold: is more than this oracle and its peers',
    ],
    [
      'peers that cannot ask this one',
      quoted(`${GOOD}peers:\n  - { oracle: ${KEY}, attestor: ${KEY}, url: "http://10.0.0.2" }\n`),
      'o.yaml:11: peers: ask this oracle too: give service',
    ],
    ['the listener of before', quoted(`${GOOD}http: { port: 1 }\n`), 'o.yaml:11: http: is two listeners now: page'],
    ['text that is no YAML', 'network_id: [', 'o.yaml:1: '],
    ['nothing', '', 'o.yaml:1: file: is empty'],
    ['a list', '- 1', 'o.yaml:1: file: '],
  ])('%s gives one line that names file, line and key', (_name, text, expected) => {
    expect(fault(text)).toMatch(new RegExp(`^${expected.replace(/[.[\]/]/g, '\\$&')}`));
  });

  it('control: the same text without the fault is taken', () => {
    expect(fault(quoted(GOOD))).toBe('taken');
  });

  it('a file that is not there is named', () => {
    expect(() => readConfig('/nowhere/o.yaml')).toThrow(
      /^\/nowhere\/o.yaml: cannot be read \(ENOENT\); correct its path/,
    );
  });
});

function quoted(text: string): string {
  return text.replace('0102030405060708', '"0102030405060708"');
}
