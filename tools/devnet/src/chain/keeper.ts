import type { AuditResult } from '@gridtokenx/audit/main';
import { Mutex } from '@gridtokenx/runtime/core';
import { diskProblem } from '../disk.js';
import { type Candidate, type Generations, networkOf } from './generations.js';
import type { Snapshot } from './snapshot.js';

export interface KeeperDeps {
  readonly generations: Pick<Generations, 'write' | 'started'>;
  /** The data directory's network, hex; null for a new directory. */
  readonly networkId: string | null;
  /** Named in words about the disk. */
  readonly folder: string;
  /** Problems found at the start: shown until a snapshot has been written. */
  readonly problems: readonly string[];
  readonly take: () => Promise<Snapshot>;
  /** Audits the present chain; with an earlier result no number may have fallen since. */
  readonly check: (before: AuditResult | undefined) => Promise<AuditResult>;
}

/** Problems by kind; null or empty without any. */
export interface KeeperFindings {
  /** Snapshots that the start skipped, with the reasons. */
  readonly restored: readonly string[];
  /** Set when the audit fails: supply, pages or cursors do not agree, or a number fell. */
  readonly invariants: string | null;
  readonly network: string | null;
  /** Any other reason why no snapshot is kept. */
  readonly snapshot: string | null;
}

type FailureKind = Exclude<keyof KeeperFindings, 'restored'>;

/** Reports a chain that must not replace its last snapshot. */
class NotKept extends Error {
  override readonly name = 'NotKept';
  readonly kind: FailureKind;
  constructor(kind: FailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Writes snapshots of a chain. No snapshot breaks an invariant or has less than the previous one. */
export class Keeper {
  readonly #deps: KeeperDeps;
  #networkId: string | null;
  #last: AuditResult | undefined;
  readonly #queue = new Mutex();
  #failure: { kind: FailureKind; words: string } | null = null;
  #found: readonly string[];
  /** Slot of the last snapshot; null before it. */
  slot: number | null = null;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#networkId = deps.networkId;
    this.#found = deps.problems;
  }

  /** Notes that the chain continues from this valid snapshot. */
  started(from: Candidate, check: AuditResult): void {
    this.#deps.generations.started(from);
    this.#networkId ??= networkOf(from.snapshot);
    this.#last = check;
  }

  /** Returns problems in plain words; empty without any. */
  problems(): string[] {
    return [...this.#found, ...(this.#failure === null ? [] : [this.#failure.words])];
  }

  findings(): KeeperFindings {
    const of = (kind: FailureKind) => (this.#failure?.kind === kind ? this.#failure.words : null);
    return {
      restored: this.#found,
      invariants: of('invariants'),
      network: of('network'),
      snapshot: of('snapshot'),
    };
  }

  /** Takes a snapshot and keeps it; callers during a snapshot get the next one. Rejects with words. */
  snapshot(): Promise<number> {
    return this.#queue.run(() => this.#takeSnapshot());
  }

  async #takeSnapshot(): Promise<number> {
    try {
      const snapshot = await this.#deps.take();
      await this.#hold(snapshot);
      this.#deps.generations.write(snapshot);
      this.#networkId ??= networkOf(snapshot);
      this.#failure = null;
      this.#found = [];
      this.slot = snapshot.slot;
      return snapshot.slot;
    } catch (error) {
      const words = diskProblem(error, this.#deps.folder);
      const kind = error instanceof NotKept ? error.kind : 'snapshot';
      this.#failure = { kind, words: `no snapshot: ${words}` };
      throw new Error(this.#failure.words);
    }
  }

  /** Throws when the chain must not replace the last snapshot. */
  async #hold(snapshot: Snapshot): Promise<void> {
    const network = networkOf(snapshot);
    if (this.#networkId !== null && network !== this.#networkId) {
      throw new NotKept(
        'network',
        `the chain is of network ${network ?? 'none'}, the last snapshot of ${this.#networkId}: it is kept`,
      );
    }
    if (network === null) return;
    const check = await this.#deps.check(this.#last);
    if (!check.ok) {
      throw new NotKept(
        'invariants',
        `the chain breaks an invariant (${check.findings.slice(0, 3).join('; ')}): the last one is kept`,
      );
    }
    this.#last = check;
  }
}
