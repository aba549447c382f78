import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Ack,
  base58Encode,
  openAck,
  openTime,
  type PublicKeyText,
  parseTopic,
  type Signer,
  signToken,
  subscriptions,
  TIME_NONCE_BYTES,
  WireError,
} from '@gridtokenx/protocol';
import { sleep } from '@gridtokenx/runtime/core';
import { noSessionWords, openSession, post, provedVerifier, systemRandom } from '@gridtokenx/runtime/node';
import type { BrokerConfig, GatewayConfig, OracleConfig } from '../../wiring/config.js';
import { brokerDial, oracleDial } from '../../wiring/secure.js';
import { type Check, type DoctorPorts, note, problem, unseen, well } from './check.js';

const CONNECT_MS = 5_000;
const TIME_MS = 5_000;
const MAX_TIME_BYTES = 4_096;
/** Time in which retained acks arrive after a subscription, ms. */
const ACKS_MS = 1_500;
/** As long as a gateway's own token: the same clock must fail in the same way. */
const TOKEN_SECONDS = 3_600;
/** Difference of the clocks from which statements and sign-ins fail, ms. */
const MAX_OFFSET_MS = 60_000;
const MAX_PACKET_BYTES = 65_536;

const RUNNING_TEXT = 'the running gateway has the session, and another one would end it';

/** An address whose name and connection can be checked. */
interface Address {
  readonly where: string;
  readonly url: URL;
  readonly dial: (() => Promise<Duplex>) | undefined;
}

/** Resolves a host name with the system's resolver. */
export async function systemLookup(host: string): Promise<void> {
  await lookup(host);
}

/** Looks at the name, the connection and, with TLS, the certificate of an address. */
async function checkAddress({ where, url, dial }: Address, ports: DoctorPorts): Promise<Check[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(
    url.port ||
      (url.protocol === 'mqtts:' ? 8883 : url.protocol === 'https:' ? 443 : url.protocol === 'mqtt:' ? 1883 : 80),
  );
  if (isIP(host) === 0) {
    try {
      await ports.lookup(host);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      return [
        problem(where, `the host name ${host} is not known (${code}): correct the address, or mend the name server`),
      ];
    }
  }
  try {
    const socket = dial ? await dial() : await plainConnection(host, port);
    socket.destroy();
  } catch (error) {
    const facts = { broker: '', key: '', nowMs: ports.clock.nowMs() };
    return [problem(where, noSessionWords(error, facts).replace(/^no connection to the broker: /, ''))];
  }
  const secured = dial ? 'its certificate is good' : 'without TLS';
  return [well(where, `${host}:${port} accepts connections, ${secured}`)];
}

function plainConnection(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error(`no answer within ${CONNECT_MS / 1_000} s`)));
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}

/** Returns what a visit to the broker showed. */
export interface BrokerVisit {
  readonly checks: readonly Check[];
  /** Newest genuine ack of each oracle, configured or not; null without a session. */
  readonly acks: ReadonlyMap<PublicKeyText, Ack> | null;
}

/**
 * Looks at the way to the broker, signs in, and reads the retained acks. Does not sign in beside a running gateway: the
 * broker has one session for each gateway, and the newer one would end the gateway's own.
 */
export async function checkBroker(
  broker: BrokerConfig,
  gateway: Signer | null,
  { isRunning, nowMs }: { readonly isRunning: boolean; readonly nowMs: number },
  ports: DoctorPorts,
): Promise<BrokerVisit> {
  const where = `broker ${broker.url}`;
  const checks = await checkAddress(
    { where, url: new URL(broker.url), dial: brokerDial(broker, () => undefined) },
    ports,
  );
  const signIn = `${where}, sign-in`;
  if (checks.some(({ level }) => level === 'problem'))
    return { checks: [...checks, unseen(signIn, 'there is no connection')], acks: null };
  if (isRunning) return { checks: [...checks, unseen(signIn, RUNNING_TEXT)], acks: null };
  if (!gateway) return { checks: [...checks, unseen(signIn, 'the gateway has no key')], acks: null };
  const acks = new Map<PublicKeyText, Ack>();
  try {
    await visit(broker, gateway, { ...ports, nowMs }, (oracle, ack) => acks.set(oracle, ack));
  } catch (error) {
    const key = base58Encode(gateway.publicKey);
    const facts = { broker: broker.name, key, nowMs };
    return { checks: [...checks, problem(signIn, noSessionWords(error, facts))], acks: null };
  }
  return { checks: [...checks, well(signIn, 'the broker accepts the key')], acks };
}

/** Opens a session, and forwards each genuine ack for this gateway. Rejects with the reason of a refusal. */
async function visit(
  broker: BrokerConfig,
  gateway: Signer,
  { clock, acksMs = ACKS_MS, nowMs }: DoctorPorts & { readonly nowMs: number },
  take: (oracle: PublicKeyText, ack: Ack) => void,
): Promise<void> {
  const key = base58Encode(gateway.publicKey);
  const now = Math.floor(nowMs / 1_000);
  const nonce = systemRandom.bytes(16);
  const token = { broker: broker.name, clientId: key, notBefore: now - 60, expiry: now + TOKEN_SECONDS, nonce };
  const verifier = provedVerifier();
  const session = await openSession(
    broker.url,
    {
      clientId: key,
      username: key,
      password: signToken(token, gateway),
      mostPacketBytes: MAX_PACKET_BYTES,
      onMessage: (topicText, payload) => {
        const topic = parseTopic(topicText);
        if (topic?.kind !== 'ack') return;
        try {
          const ack = openAck(payload, topic.oracle, verifier);
          if (base58Encode(ack.gateway) === key) take(base58Encode(topic.oracle) as PublicKeyText, ack);
        } catch (error) {
          // Content of strangers: only a genuine ack counts.
          if (!(error instanceof WireError)) throw error;
        }
      },
    },
    brokerDial(broker, () => undefined),
  );
  try {
    await session.subscribe(subscriptions.gateway(gateway.publicKey));
    await sleep(clock, acksMs);
  } finally {
    await session.close();
  }
}

/**
 * Looks at each oracle: reachable, its key, and the difference of its signed time to this machine's clock. `offsetMs`: by
 * how much the machine is behind that time, which a gateway corrects; 0 when unknown.
 */
export async function checkOracles(
  config: GatewayConfig,
  ports: DoctorPorts,
): Promise<{ readonly checks: readonly Check[]; readonly offsetMs: number }> {
  const checks: Check[] = [];
  let offsetMs: number | null = null;
  for (const oracle of config.oracles) {
    const name = base58Encode(oracle.key);
    const where = `oracle ${oracle.url ?? name}`;
    if (oracle.url === undefined) {
      checks.push(unseen(where, 'the configuration has no url of it; its acks are looked at below'));
      continue;
    }
    const way = await checkAddress(
      { where, url: new URL(oracle.url), dial: oracleDial(oracle, () => undefined) },
      ports,
    );
    checks.push(...way);
    if (way.some(({ level }) => level === 'problem')) continue;
    const said = await askTime(oracle, ports);
    if (typeof said === 'string') checks.push(problem(`${where}, signed time`, said));
    else {
      offsetMs ??= said;
      checks.push(well(`${where}, signed time`, `signed by ${name}`));
    }
  }
  return { checks: [...checks, await clockCheck(config, offsetMs, ports)], offsetMs: offsetMs ?? 0 };
}

async function clockCheck(
  config: GatewayConfig,
  offsetMs: number | null,
  { timeService, clock }: DoctorPorts,
): Promise<Check> {
  const where = 'clock';
  if (config.clock) return note(where, 'it is simulated: the time of readings is not the real time');
  if (offsetMs !== null) {
    if (Math.abs(offsetMs) < MAX_OFFSET_MS)
      return well(where, `within ${(Math.abs(offsetMs) / 1_000).toFixed(1)} s of an oracle's signed time`);
    const shows = `${new Date(clock.nowMs()).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    return problem(
      where,
      `this machine shows ${shows}, ${spanText(offsetMs)} ${offsetMs > 0 ? 'behind' : 'ahead of'} an oracle's signed time: set the clock right, or start chrony or timesyncd. The gateway corrects its own time meanwhile`,
    );
  }
  const service = await timeService();
  return service === null
    ? unseen(where, 'no oracle gave its signed time, and neither chrony nor timesyncd keeps the clock')
    : well(where, `${service} keeps it`);
}

function spanText(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 2_880 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1_440)} days`;
}

/** Returns how far this machine's clock is behind the oracle's, ms; a text where there is no signed answer. */
async function askTime(oracle: OracleConfig, { clock }: DoctorPorts): Promise<number | string> {
  const nonce = systemRandom.bytes(TIME_NONCE_BYTES);
  const url = new URL('/time', oracle.url);
  try {
    const socket = await oracleDial(oracle, () => undefined)?.();
    const beganAtMs = clock.monotonicMs();
    const how = { contentType: 'application/octet-stream', mostBytes: MAX_TIME_BYTES, socket };
    const { status, body } = await post({ url, body: nonce, ...how, signal: AbortSignal.timeout(TIME_MS) });
    if (status !== 200) return `it answers with HTTP ${status}: is this the address of an oracle's service?`;
    const tripMs = clock.monotonicMs() - beganAtMs;
    return openTime(body, oracle.key, nonce, provedVerifier()) - (clock.nowMs() - tripMs / 2);
  } catch (error) {
    if (error instanceof WireError)
      return `its answer is not signed by ${base58Encode(oracle.key)}: correct oracles[].key, or its url (${error.message})`;
    return `it gave no answer (${(error as Error).message})`;
  }
}
