import { loadCampaign } from '../catalogue.js';

/**
 * Runs seeds in a process: `worker.js CAMPAIGN [CONTROL]`. Sends `{type: 'ready'}` first. Takes `{seed}` and answers
 * `{seed, outcome}`, or `{seed, error}` when the campaign itself is broken. Ends when its parent is gone.
 */
async function main(): Promise<void> {
  const [name = '', controlName] = process.argv.slice(2);
  const campaign = await loadCampaign(name);
  if (controlName !== undefined) {
    const control = Object.hasOwn(campaign.controls, controlName) ? campaign.controls[controlName] : undefined;
    if (!control) throw new Error(`no control "${controlName}"`);
    control.install();
  }
  const send = (message: object) => process.send?.(message);
  process.on('disconnect', () => {
    const ended = campaign.end?.() ?? Promise.resolve();
    ended.finally(() => process.exit(0));
  });
  process.on('message', ({ seed }: { seed: number }) => {
    campaign.run(seed).then(
      (outcome) => send({ seed, outcome }),
      (error: unknown) =>
        send({ seed, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  send({ type: 'ready' });
}

await main();
