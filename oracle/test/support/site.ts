import {
  asMeterId,
  asWh,
  asWindow,
  type ClosedSpan,
  closeSpan,
  isAttestable,
  openPoint,
  type PointState,
  pointId,
  pointStatement,
  type Statement,
  type ToEncode,
  windowStartAtMs,
} from '@gridtokenx/protocol';
import {
  INITIAL_WINDOW,
  JournalBuilder,
  meterIdOf,
  meterOf,
  type Signed,
  signerOf,
} from '@gridtokenx/testing-kit/signed-journal';
import type { MeterRecord } from '../../src/domain/ports.js';

const bytes = (id: string) => Uint8Array.from(Buffer.from(id, 'hex'));

/**
 * Returns a site's meters as the registry shows them: production, consumption, and the point that derives from both.
 */
export function siteRecords(changes: Partial<MeterRecord> = {}): {
  production: MeterRecord;
  consumption: MeterRecord;
  point: MeterRecord;
} {
  const evidence = { ...changes, page: null, slot: null } as const;
  return {
    production: meterOf(1, { role: 1, ...evidence }),
    consumption: meterOf(2, { role: 2, ...evidence }),
    point: meterOf(3, {
      ...changes,
      meterId: asMeterId(pointId(bytes(meterIdOf(1)), bytes(meterIdOf(2)))),
      importBaselineWh: asWh(0n),
      exportBaselineWh: asWh(0n),
    }),
  };
}

export type Side = 'production' | 'consumption';

/** Builds the messages of an honest gateway of such a site; a test changes single messages. */
export class SiteBuilder {
  readonly records: ReturnType<typeof siteRecords>;
  readonly production: JournalBuilder;
  readonly consumption: JournalBuilder;
  readonly point: JournalBuilder;
  /** The first messages of the three keys. */
  readonly enrolments: readonly Signed[];
  /** State of the gateway's point. */
  state: PointState | null = null;

  constructor(changes: Partial<MeterRecord> = {}) {
    this.records = siteRecords(changes);
    this.production = new JournalBuilder(this.records.production, signerOf(1));
    this.consumption = new JournalBuilder(this.records.consumption, signerOf(2));
    this.point = new JournalBuilder(this.records.point, signerOf(3));
    this.enrolments = [
      this.production.enrolment(),
      this.consumption.enrolment(),
      this.point.enrolment({ importWh: 0n, exportWh: 0n }),
    ];
  }

  /** Builds a reading and the statement of window `i` of one meter. */
  meter(side: Side, i: number, riseWh: number, changes: Partial<ToEncode<Statement>> = {}): Signed[] {
    const log = this[side];
    log.timeMs = windowStartAtMs(asWindow(INITIAL_WINDOW + i));
    const rise = side === 'production' ? { exportWh: BigInt(riseWh) } : { importWh: BigInt(riseWh) };
    return [log.reading({}, rise), log.statement(changes)];
  }

  /** Returns the gateway's next span, closed at these statements; null where one of them is not good. */
  span(
    production: Signed | undefined,
    consumption: Signed | undefined,
  ): (ClosedSpan & { inputs: [Statement, Statement] }) | null {
    if (!production || !consumption) return null;
    const inputs: [Statement, Statement] = [production.payload as Statement, consumption.payload as Statement];
    if (inputs.some(({ quality }) => !isAttestable(quality))) return null;
    const enrolled = { importWh: 0n, exportWh: 0n };
    const closed = this.state
      ? closeSpan(this.state, ...inputs)
      : { state: openPoint(enrolled, ...inputs), surplusWh: 0n, isNewBase: false };
    return { ...closed, inputs };
  }

  /** Builds the point's statement at the end of these two; undefined where one of them is not good. */
  derive(
    production: Signed | undefined,
    consumption: Signed | undefined,
    changes: Partial<ToEncode<Statement>> = {},
  ): Signed[] {
    const span = this.span(production, consumption);
    if (!span) return [];
    this.state = span.state;
    return [this.point.statement({ ...pointStatement(span.state, span.isNewBase, ...span.inputs), ...changes })];
  }

  /** Builds window `i` with both meters: four messages of the meters and one of the point. */
  window(
    i: number,
    produced: number,
    consumed: number,
  ): { all: Signed[]; production: Signed; consumption: Signed; point: Signed } {
    const made = this.meter('production', i, produced);
    const used = this.meter('consumption', i, consumed);
    const [production, consumption] = [made.at(-1), used.at(-1)];
    const [point] = this.derive(production, consumption);
    if (!production || !consumption || !point) throw new Error('a window without statements');
    return { all: [...made, ...used, point], production, consumption, point };
  }
}
