/** Names the events that a bus counts. The names are stable: metrics show them. */
export const BUS_COUNTS = [
  'requests',
  'answers',
  'timeouts',
  'exceptions',
  'late',
  'repeats',
  'echoes',
  'damaged',
  'foreign',
  'violations',
  'connects',
  'connect_errors',
  'lost_connections',
] as const;
export type BusCount = (typeof BUS_COUNTS)[number];

/** Counts the events of a bus, and reports each to a listener (metrics). */
export class BusStats {
  readonly counts: Record<BusCount, number> = Object.fromEntries(BUS_COUNTS.map((name) => [name, 0])) as Record<
    BusCount,
    number
  >;
  readonly #listener: (name: BusCount) => void;

  constructor(listener: (name: BusCount) => void = () => {}) {
    this.#listener = listener;
  }

  add(name: BusCount): void {
    this.counts[name]++;
    this.#listener(name);
  }
}
