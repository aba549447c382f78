import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { ModbusRTU } from 'modbus-serial/ModbusRTU.js';
import { type MakeClient, ModbusException } from '../../domain/bus/ports.js';

/**
 * What modbus-serial takes for a port. It hands over each request as an RTU frame and gets whole answers that the bus has
 * matched; framing, deadlines and matching are the bus's.
 */
class LibraryPort extends EventEmitter {
  /** The library looks an answer's transaction up by these; one request at a time needs one. */
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
    // The library never learns of a failure: it has no time-out of its own, and the next request takes the place of this.
    this.#exchange(frame).then(
      (answer) => this.emit('data', Buffer.from(answer.buffer, answer.byteOffset, answer.length)),
      (error) => this.failed(error),
    );
  }
}

let library: (new (port: unknown) => ModbusRTU) | null = null;

/** Clients by modbus-serial, which is loaded at the first use; each serves one unit of one bus. */
export const makeClient: MakeClient = (exchange) => {
  // The package's types speak of a default export; the class is what the module itself is.
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
