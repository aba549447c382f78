/** Rules that a control switches off; all are on otherwise. */
export const rules = {
  /** Commits sync the content of files. */
  sync: true,
  /** A new segment's name is synced. */
  directorySync: true,
  /** The state on disk reserves seqs before a gateway signs with them. */
  reservation: true,
  /** Gaps declare the seqs that the spool lost. */
  declaration: true,
};
