import { keepHeapSmall, privateFiles, runCli } from '@gridtokenx/runtime/node';
import { runBroker } from './run.js';

/** Runs the command line to its end. */
export function main(): Promise<void> {
  privateFiles();
  keepHeapSmall();
  return runCli({
    name: 'gridtokenx-broker',
    description: 'MQTT broker with sign-in by key',
    commands: (program) => {
      program
        .command('run', { isDefault: true })
        .description('serve until stopped')
        .requiredOption('--config <file>', 'YAML or JSON')
        .action(({ config }: { config: string }) => runBroker(config));
    },
  });
}
