import { z } from 'zod';
import { KEY_TEXTS } from './key-texts.js';
import { profileSchema } from './schema.js';

/** A node of a JSON schema. */
interface Node {
  description?: string;
  properties?: Record<string, Node>;
  propertyNames?: { readonly enum?: readonly string[] };
  additionalProperties?: Node | boolean;
  items?: Node;
  oneOf?: Node[];
  anyOf?: Node[];
  [key: string]: unknown;
}

const REGISTER = 'register';

/**
 * Builds the JSON schema of a profile file, which editors use to complete and check a profile while somebody writes.
 * Its texts are those of `KEY_TEXTS`. The rules between two keys are not in it: `profile-check` knows them.
 */
export function profileJsonSchema(): Node {
  const schema = z.toJSONSchema(profileSchema, { io: 'input' }) as Node;
  const definitions: Record<string, Node> = {};
  for (const kind of schema.oneOf ?? []) {
    const registers = kind.properties?.registers;
    if (registers) definitions[REGISTER] = nameRegisters(registers);
    describe(kind, '');
  }
  for (const node of Object.values(definitions)) describe(node, 'registers.*');
  return { ...schema, title: 'Profile of a meter', $defs: definitions };
}

/** Lists each register by its name, with its own text; returns the schema that all of them share. */
function nameRegisters(registers: Node): Node {
  const names = registers.propertyNames?.enum ?? [];
  const shared = registers.additionalProperties as Node;
  registers.properties = Object.fromEntries(names.map((name) => [name, { $ref: `#/$defs/${REGISTER}` }]));
  registers.additionalProperties = false;
  delete registers.propertyNames;
  return shared;
}

/** Adds the texts to a node and to all below it. */
function describe(node: Node, path: string): void {
  const text = KEY_TEXTS[path];
  if (text !== undefined) node.description = text;
  for (const [key, inner] of Object.entries(node.properties ?? {}))
    describe(inner, path === '' ? key : `${path}.${key}`);
  if (node.items) describe(node.items, `${path}[]`);
  for (const choice of [...(node.oneOf ?? []), ...(node.anyOf ?? [])]) describe(choice, path);
}

/** Lists the paths of all keys that the schema knows, as `KEY_TEXTS` names them. */
export function keyPaths(schema: Node, path = ''): string[] {
  const here = path === '' ? [] : [path];
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, node]) =>
    keyPaths(node, path === '' ? key : `${path}.${key}`),
  );
  const choices = [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])].flatMap((node) => keyPaths(node, path));
  const shared = (schema.$defs as Record<string, Node> | undefined)?.[REGISTER];
  return [
    ...new Set([
      ...(path.endsWith('[]') || path.endsWith('*') ? [] : here),
      ...inner,
      ...choices,
      ...(schema.items ? keyPaths(schema.items, `${path}[]`) : []),
      ...(shared ? keyPaths(shared, 'registers.*') : []),
    ]),
  ];
}
