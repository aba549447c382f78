// The rules that exclude mutants. Each names a text that no test should assert, because nothing acts on it and a person
// loses nothing by other words. Words of errors are not excluded: an operator acts on them.

/** The part of the instrumenter's path that the rules read. */
export interface NodePath {
  readonly node: Node;
  readonly parent: Node | null;
}

interface Node {
  readonly type: string;
  readonly name?: string;
  readonly property?: Node;
  readonly object?: Node;
  readonly callee?: Node;
  readonly key?: Node;
  readonly arguments?: readonly Node[];
}

interface Rule {
  readonly reason: string;
  readonly applies: (node: Node, parent: Node) => boolean;
}

const isText = ({ type }: Node): boolean => type === 'StringLiteral' || type === 'TemplateLiteral';
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const LOGGER = /^#?(log|logger)$/i;
const HELP = ['description', 'option', 'requiredOption', 'argument', 'addHelpText'];

/** Returns the name of a called method: `info` of `this.log.info(…)`. */
const methodOf = (call: Node): string | undefined => call.callee?.property?.name;

/** Returns the last name of a method's receiver: `log` of `this.log.info(…)`. */
function receiverOf(call: Node): string {
  const object = call.callee?.object;
  return object?.name ?? object?.property?.name ?? '';
}

export const RULES: readonly Rule[] = [
  {
    reason: 'text of a log line: its fields and its level count, its words do not',
    applies: (node, parent) =>
      isText(node) &&
      parent.type === 'CallExpression' &&
      LEVELS.includes(methodOf(parent) ?? '') &&
      LOGGER.test(receiverOf(parent)),
  },
  {
    reason: "a metric's help text: dashboards and alarms read its name",
    applies: (node, parent) => isText(node) && parent.type === 'ObjectProperty' && parent.key?.name === 'help',
  },
  {
    reason: "help text of a command line: the option's name and its reading count",
    applies: (node, parent) =>
      isText(node) &&
      parent.type === 'CallExpression' &&
      HELP.includes(methodOf(parent) ?? '') &&
      (methodOf(parent) === 'description' || parent.arguments?.[0] !== node),
  },
];

/** Returns the reason why no test has to notice a change at a place; undefined when a test has to. */
export function shouldIgnore({ node, parent }: NodePath): string | undefined {
  return parent ? RULES.find(({ applies }) => applies(node, parent))?.reason : undefined;
}
