export function buildIdl(program: object): object;
export function accountSize(program: object, name: string): number;
