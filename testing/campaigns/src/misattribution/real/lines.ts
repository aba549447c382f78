import { type LineMeter, type MeterLine, ModbusServer, startPtyBus } from '@gridtokenx/simulators';
import type { BusAddress } from '#edge/adapters/modbus/open.js';

/** Lines of the operating system on which meters are simulated. */
export const REAL_LINES = ['pty', 'rtu-over-tcp', 'converter', 'tcp'] as const;
export type RealLine = (typeof REAL_LINES)[number];

/** Meters that listen at an address. */
export interface OpenLine {
  readonly address: BusAddress;
  readonly line: MeterLine;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Delivers characters in pieces of this time, in ms, as an adapter does. */
const GATHER_MS = 2;

/** Puts meters on a line; on a pty all have the settings of the first meter. */
export async function openLine(kind: RealLine, meters: readonly LineMeter[]): Promise<OpenLine> {
  if (kind === 'pty') {
    const settings = meters[0]?.settings;
    if (!settings) throw new Error('a meter on a pty has settings');
    const { baud, parity, stopBits } = settings;
    const bus = startPtyBus({ meters, gatherMs: GATHER_MS });
    return {
      address: { transport: 'serial', path: bus.path, baud, parity, stopBits },
      line: bus.line,
      close: () => bus.close(),
    };
  }
  const isConverter = kind === 'converter';
  const server = new ModbusServer(kind === 'rtu-over-tcp' ? kind : 'tcp', meters, { converter: isConverter });
  const port = await server.listen(HOST, 0);
  const address: BusAddress =
    kind === 'rtu-over-tcp'
      ? { transport: kind, host: HOST, port }
      : { transport: 'tcp', host: HOST, port, converter: isConverter };
  return { address, line: server.line, close: () => server.close() };
}
