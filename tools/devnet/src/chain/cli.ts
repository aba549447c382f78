import { privateFiles, runCli } from '@gridtokenx/runtime/node';
import { runChain } from './run.js';

/** Runs the command line to its end. */
export function main(): Promise<void> {
  privateFiles();
  return runCli({
    name: 'gridtokenx-chain',
    description: 'Runs an embedded SVM node with the programs; its state survives restarts',
    commands: (program) => {
      program
        .requiredOption('--config <file>', 'JSON, as the launcher writes it')
        .action(({ config }: { config: string }) => runChain(config));
    },
  });
}
