interface ProgramSpec {
  readonly accounts: Readonly<Record<string, unknown>>;
}
export const programs: { readonly registry: ProgramSpec; readonly oracle: ProgramSpec; readonly energy_token: ProgramSpec };
