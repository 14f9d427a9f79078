import type { Command } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import { startTraining } from '../temporal.ts';
import { example, withContext } from './context.ts';

const KINDS = ['customers', 'products', 'orders', 'events', 'reviews', 'consents'];

interface ImportOptions {
  map?: string;
  consent?: string;
  consentAt?: string;
  currency?: string;
  timeZone?: string;
  rejected?: string;
}

/** Data in, and what is learnt from it. */
export function addDataCommands(program: Command): void {
  program
    .command('import <kind> <files...>')
    .description(`read files of a shop: ${KINDS.join(', ')}`)
    .option('--map <file>', 'mapping of columns (YAML); well-known column names need none')
    .option('--consent <source>', 'these customers have agreed to marketing mail; says how')
    .option('--consent-at <date>', 'when they did, where the file does not say')
    .option('--currency <code>', 'ISO 4217, where the file does not say')
    .option('--time-zone <iana>', 'of times without one, such as Europe/Berlin')
    .option('--rejected <folder>', 'where bad rows go; beside their file by default')
    .addHelpText('after', example('import orders orders.csv.gz --map orders.yaml'))
    .action((kind: string, files: string[], options: ImportOptions, command: Command) =>
      withContext(command, async (context) => {
        // Readers of all formats: only this command needs them.
        const { runImport } = await import('../import.ts');
        process.exitCode = await runImport(
          { kind, files, ...options, json: context.json },
          { db: context.db, out: process.stdout, err: process.stderr },
        );
      }),
    );
  addTrainCommand(program);
}

function addTrainCommand(program: Command): void {
  program
    .command('train <model>')
    .description('train a model now by its workflow: order-30d or rfm')
    .option('--rows <n>', 'people to learn from at most', Number, 20_000)
    .addHelpText('after', example('train order-30d --rows 20000'))
    .action((model: string, options: { rows: number }, command: Command) =>
      withContext(command, async (context) => {
        if (model !== 'order-30d' && model !== 'rfm') {
          throw new KairosError(
            'MODEL_UNKNOWN',
            `There is no model ${model} to train; expected order-30d or rfm.`,
          );
        }
        const run = await startTraining(context.temporal, {
          version: 1,
          model,
          rowsMax: options.rows,
        });
        context.say(`training ${model}: ${run.workflowId}`);
        const result = await run.result();
        context.print(result, () =>
          result.status === 'current'
            ? `${model} version ${result.version} is current; ${result.scored.toLocaleString('en-US')} people scored.`
            : `${model} version ${result.version} was refused: ${result.reason}`,
        );
      }),
    );
}
