import { describe, expect, it } from 'vitest';
import { mutantsOfText } from '../src/typescript.js';

const reasons = async (text: string) =>
  (await mutantsOfText('a.ts', text)).map(({ original, ignored }) => [original, ignored?.split(':')[0] ?? null]);

describe('the rules that leave mutants out', () => {
  it('leaves out the text of a log line, not its fields and not the call', async () => {
    const found = await reasons("this.log.warn({ url: 'x' }, 'gone');");
    expect(found).toContainEqual(["'gone'", 'text of a log line']);
    expect(found).toContainEqual(["{ url: 'x' }", null]);
    expect(found).toContainEqual(["'x'", null]);
  });

  it("leaves out a metric's help, not its name", async () => {
    const found = await reasons("new Gauge({ name: 'gtx_a', help: 'how many' });");
    expect(found).toContainEqual(["'how many'", "a metric's help text"]);
    expect(found).toContainEqual(["'gtx_a'", null]);
  });

  it('leaves out the help of an option, not its name', async () => {
    const found = await reasons("command.option('--seed <s>', 'of the draw', 'default');");
    expect(found).toContainEqual(["'of the draw'", 'help text of a command line']);
    expect(found).toContainEqual(["'--seed <s>'", null]);
  });

  it('keeps the words of errors and other texts', async () => {
    const found = await reasons("throw new Error('no key'); console.info('a'); math.log('b'); f(log, 'c');");
    expect(found.every(([, reason]) => reason === null)).toBe(true);
    expect(found.map(([text]) => text)).toEqual(expect.arrayContaining(["'no key'", "'a'", "'b'", "'c'"]));
  });
});
