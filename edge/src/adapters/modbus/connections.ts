import type { ModbusRTU } from 'modbus-serial/ModbusRTU.js';
import { ReadError, ReadFailure } from '../../ports.js';
import type { BusConnection, OpenBus } from './bus.js';

/** How a bus is reached; the serial settings are those of the meter. */
export type BusAddress =
  | { readonly transport: 'tcp' | 'rtu-over-tcp'; readonly host: string; readonly port: number }
  | {
      readonly transport: 'serial';
      readonly path: string;
      readonly baud: number;
      readonly parity: 'none' | 'even' | 'odd';
      readonly stopBits: 1 | 2;
    };

/**
 * Opens a bus through modbus-serial, which is loaded at the first use. `requestMs` is given to the library too (it has
 * no time-out by itself), a little above the bus's own deadline.
 */
export function busOpener(address: BusAddress, requestMs: number): OpenBus {
  return async () => {
    // The package's types speak of a default export; the class is what the module itself is.
    const library = (await import('modbus-serial')).default as unknown as new () => ModbusRTU;
    const client = new library();
    // The library reports a reset here and nowhere else; the request's own deadline deals with it.
    client.on('error', () => {});
    client.setTimeout(requestMs + 100);
    try {
      await connect(client, address);
    } catch (error) {
      client.destroy(() => {});
      throw error;
    }
    return connectionOf(client, address.transport === 'serial');
  };
}

function connect(client: ModbusRTU, address: BusAddress): Promise<void> {
  switch (address.transport) {
    case 'tcp':
      return client.connectTCP(address.host, { port: address.port });
    case 'rtu-over-tcp':
      // Raw RTU frames over TCP: the library's "telnet" (its "TcpRTUBuffered" expects an MBAP header).
      return client.connectTelnet(address.host, { port: address.port });
    case 'serial':
      return client.connectRTUBuffered(address.path, {
        baudRate: address.baud,
        parity: address.parity,
        stopBits: address.stopBits,
        dataBits: 8,
      });
  }
}

function connectionOf(client: ModbusRTU, serial: boolean): BusConnection {
  return {
    async read(unit, functionCode, address, count) {
      if (!client.isOpen) throw new ReadError(ReadFailure.connection, 'the connection was closed by the other side');
      // One owner and one request in flight: the unit that is set here is the one that is asked.
      client.setID(unit);
      try {
        const ask =
          functionCode === 4 ? client.readInputRegisters(address, count) : client.readHoldingRegisters(address, count);
        return (await ask).buffer;
      } catch (error) {
        throw readError(error, unit);
      }
    },
    // The library's "destroy" leaves a serial port open; its "close" waits for the other side of a socket.
    close: () => (serial ? client.close(() => {}) : client.destroy(() => {})),
  };
}

function readError(error: unknown, unit: number): ReadError {
  const { name, message, modbusCode } = error as { name?: string; message?: string; modbusCode?: number };
  if (modbusCode !== undefined) {
    return new ReadError(ReadFailure.exception, `unit ${unit} answers with exception ${modbusCode}`, { cause: error });
  }
  const failure = name === 'TransactionTimedOutError' ? ReadFailure.timeout : ReadFailure.badReply;
  return new ReadError(failure, `unit ${unit}: ${message ?? String(error)}`, { cause: error });
}
