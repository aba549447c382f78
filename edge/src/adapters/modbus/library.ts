import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { ModbusRTU } from 'modbus-serial/ModbusRTU.js';
import { type MakeClient, ModbusException } from '../../domain/bus/ports.js';

/**
 * Serves modbus-serial as its port. Receives each request as an RTU frame and returns whole replies that the bus has
 * matched; framing, deadlines and matching are the bus's.
 */
class LibraryPort extends EventEmitter {
  /** The library finds a reply's transaction by these; one request at a time needs a single id. */
  _transactionIdRead = 1;
  _transactionIdWrite = 1;
  readonly isOpen = true;
  readonly #exchange: (frame: Uint8Array) => Promise<Uint8Array>;
  failed: (error: unknown) => void = () => {};

  constructor(exchange: (frame: Uint8Array) => Promise<Uint8Array>) {
    super();
    this.#exchange = exchange;
  }

  open(done: (error?: Error) => void): void {
    done();
  }
  close(done: () => void): void {
    done();
  }
  write(frame: Buffer): void {
    // The library never learns of a failure: it has no time-out of its own, and the next request replaces this one.
    this.#exchange(frame).then(
      (answer) => this.emit('data', Buffer.from(answer.buffer, answer.byteOffset, answer.length)),
      (error) => this.failed(error),
    );
  }
}

let library: (new (port: unknown) => ModbusRTU) | null = null;

/** Creates clients of modbus-serial, which is loaded at the first use; each serves one unit of one bus. */
export const makeClient: MakeClient = (exchange) => {
  // The package's types state a default export; the module itself is the class.
  library ??= createRequire(import.meta.url)('modbus-serial') as new (port: unknown) => ModbusRTU;
  const port = new LibraryPort(exchange);
  const client = new library(port);
  client.on('error', () => {});
  client.open(() => {});
  return {
    read({ unit, fn, address, count }) {
      client.setID(unit);
      return new Promise((resolve, reject) => {
        port.failed = reject;
        const ask = fn === 4 ? client.readInputRegisters(address, count) : client.readHoldingRegisters(address, count);
        ask.then(
          ({ buffer }) => resolve(buffer),
          (error: { modbusCode?: number }) =>
            reject(error.modbusCode === undefined ? error : new ModbusException(error.modbusCode)),
        );
      });
    },
  };
};
