import { readFileSync } from 'node:fs';

export const textOf = (name: string) => readFileSync(new URL(`../../vectors/${name}`, import.meta.url), 'utf8');
// biome-ignore lint/suspicious/noExplicitAny: vectors are data; every use below is an expectation
export type Case = Record<string, any>;
export const load = (name: string): Record<string, Case[]> => JSON.parse(textOf(name));
export const list = (name: string, key = 'cases'): Case[] => load(name)[key] ?? [];
