export function buildIdl(program: object): object;
export function accountSize(program: object, name: string): number;
export function generatedFiles(): Map<string, string>;
export function differences(files?: ReadonlyMap<string, string>): string[];
