import { createInterface } from 'node:readline/promises';
import { type Answers, type Chosen, fitOf, nameOf, serialOf, whereText } from '../domain/commissioning/config-text.js';

/** Asks the person for what no meter shows: profile, model and serial number. An empty answer leaves it open. */
export async function askAnswers(
  chosen: readonly Chosen[],
  given: ReadonlyMap<number, Answers>,
): Promise<Map<number, Answers>> {
  const answers = new Map(given);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    for (const one of chosen) {
      const { unit } = one.found;
      const known = answers.get(unit) ?? {};
      answers.set(unit, await askOne(one, known, (text) => terminal.question(`${whereText(one.found)}: ${text} `)));
    }
  } finally {
    terminal.close();
  }
  return answers;
}

async function askOne(chosen: Chosen, known: Answers, ask: (text: string) => Promise<string>): Promise<Answers> {
  let answers = known;
  if (!fitOf(chosen, answers)) {
    const ids = chosen.fits.map(({ profile }) => profile);
    const said = (await ask(`${nameOf(chosen.fits)}? Which profile (${ids.join(', ')})?`)).trim();
    if (ids.includes(said)) answers = { ...answers, profile: said };
  }
  const fit = fitOf(chosen, answers);
  if (fit?.model.includes(', ') && answers.model === undefined) {
    const said = (await ask(`the model on the nameplate (${fit.model})?`)).trim();
    if (said !== '') answers = { ...answers, model: said };
  }
  const isReadable = serialOf(chosen.fits, fit) !== null;
  if (!isReadable && answers.serial === undefined) {
    const said = (await ask('the serial number on the nameplate?')).trim();
    if (said !== '') answers = { ...answers, serial: said };
  }
  return answers;
}
