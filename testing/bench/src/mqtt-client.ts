import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';

/** Packet types of MQTT 3.1.1, as the upper half of the first byte. */
const Type = { connack: 2, publish: 3, puback: 4, suback: 9 } as const;

export interface MqttOptions {
  readonly port: number;
  readonly clientId: string;
  readonly userName: string;
  readonly password: Uint8Array;
  /** Called with each received message, which is already acknowledged. */
  readonly onMessage?: (topic: string, payload: Buffer) => void;
}

/** A message to publish; `retain` defaults to false. */
export interface ToPublish {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain?: boolean;
}

/**
 * Implements only as much of an MQTT 3.1.1 client as a load needs (section 3 of the standard). On two cores a full
 * client would use the CPU time that the bench measures in the broker. QoS 1, a window of unacknowledged packets, clean
 * session.
 */
export class LoadClient {
  readonly #socket: Socket;
  readonly #onMessage: (topic: string, payload: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #unacknowledged = 0;
  #onAck: () => void = () => {};
  #expected: { type: number; resolve: (body: Buffer) => void } | null = null;
  #fail: (error: Error) => void = () => {};
  readonly failed: Promise<never>;

  private constructor(socket: Socket, onMessage: (topic: string, payload: Buffer) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => undefined);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')));
  }

  /** Connects and signs in; rejects with the return code of a refusal. */
  static async connect(options: MqttOptions): Promise<LoadClient> {
    const socket = connectSocket(options.port, '127.0.0.1');
    await once(socket, 'connect');
    const client = new LoadClient(socket, options.onMessage ?? (() => {}));
    const body = Buffer.concat([
      text('MQTT'),
      Buffer.of(4, 0xc2, 0, 0),
      text(options.clientId),
      text(options.userName),
      text(options.password),
    ]);
    const answer = await client.#ask(Type.connack, packet(0x10, body));
    if (answer[1] !== 0) throw new Error(`sign-in refused with code ${answer[1]}`);
    return client;
  }

  /** Subscribes with QoS 1; rejects when a topic is refused. */
  async subscribe(topics: readonly string[]): Promise<void> {
    const body = Buffer.concat([Buffer.of(0, 1), ...topics.flatMap((topic) => [text(topic), Buffer.of(1)])]);
    const answer = await this.#ask(Type.suback, packet(0x82, body));
    if (answer.subarray(2).includes(0x80)) throw new Error(`subscription refused: ${topics.join(' ')}`);
  }

  /** Publishes everything with QoS 1 and at most `inFlight` unacknowledged; resolves after the last PUBACK. */
  publishAll(messages: Iterable<ToPublish>, inFlight: number): Promise<void> {
    const source = messages[Symbol.iterator]();
    const work = new Promise<void>((resolve) => {
      let isDone = false;
      const more = () => {
        this.#socket.cork();
        while (!isDone && this.#unacknowledged < inFlight) {
          const { value, done } = source.next();
          if (done) isDone = true;
          else this.#publish(value);
        }
        this.#socket.uncork();
        if (isDone && this.#unacknowledged === 0) resolve();
      };
      this.#onAck = more;
      more();
    });
    return Promise.race([work, this.failed]);
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.end(Buffer.of(0xe0, 0));
  }

  #publish({ topic, payload, retain = false }: ToPublish): void {
    const id = this.#nextId;
    this.#nextId = id === 65_535 ? 1 : id + 1;
    this.#unacknowledged++;
    this.#socket.write(
      packet(retain ? 0x33 : 0x32, Buffer.concat([text(topic), Buffer.of(id >> 8, id & 255), payload])),
    );
  }

  async #ask(type: number, bytes: Buffer): Promise<Buffer> {
    const answer = new Promise<Buffer>((resolve) => {
      this.#expected = { type, resolve };
    });
    this.#socket.write(bytes);
    return Promise.race([answer, this.failed]);
  }

  #take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let acks = 0;
    this.#socket.cork();
    for (let head = headOf(bytes); head && bytes.length >= head.end; head = headOf(bytes)) {
      const body = bytes.subarray(head.start, head.end);
      const first = bytes[0] ?? 0;
      if (first >> 4 === Type.puback) acks++;
      else if (first >> 4 === Type.publish) this.#received(first, body);
      else if (this.#expected?.type === first >> 4) this.#expected.resolve(Buffer.from(body));
      bytes = bytes.subarray(head.end);
    }
    this.#rest = bytes;
    this.#socket.uncork();
    if (acks === 0) return;
    this.#unacknowledged -= acks;
    this.#onAck();
  }

  #received(first: number, body: Buffer): void {
    const end = 2 + body.readUInt16BE(0);
    const hasId = ((first >> 1) & 3) > 0;
    if (hasId) this.#socket.write(Buffer.of(0x40, 2, body[end] ?? 0, body[end + 1] ?? 0));
    this.#onMessage(body.toString('utf8', 2, end), body.subarray(hasId ? end + 2 : end));
  }
}

function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
}

function packet(first: number, body: Buffer): Buffer {
  const head = [first];
  let length = body.length;
  do {
    head.push((length & 127) | (length > 127 ? 128 : 0));
    length >>= 7;
  } while (length > 0);
  return Buffer.concat([Buffer.from(head), body]);
}

/** Returns where the first packet's body begins and ends; null while its length is incomplete. */
function headOf(bytes: Buffer): { start: number; end: number } | null {
  let length = 0;
  for (let i = 1; i < 5; i++) {
    const byte = bytes[i];
    if (byte === undefined) return null;
    length += (byte & 127) * 128 ** (i - 1);
    if (byte < 128) return { start: i + 1, end: i + 1 + length };
  }
  throw new Error('no MQTT packet: the length has more than four bytes');
}
