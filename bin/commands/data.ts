import type { Command } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import { example, withContext } from './context.ts';

const KINDS = ['customers', 'products', 'orders', 'events', 'reviews', 'consents'];

interface ImportOptions {
  guess?: boolean;
  map?: string;
  consent?: string;
  consentAt?: string;
  currency?: string;
  timeZone?: string;
  rejected?: string;
}

/** Data in. */
export function addDataCommands(program: Command): void {
  program
    .command('import <kind> [files...]')
    .description(`read files of a shop: ${KINDS.join(', ')}`)
    .option('--map <file>', 'mapping of columns (YAML); well-known column names need none')
    .option('--guess', 'propose a mapping of a file, to be looked at; the kind may be left out')
    .option('--consent <source>', 'these customers have agreed to marketing mail; says how')
    .option('--consent-at <date>', 'when they did, where the file does not say')
    .option('--currency <code>', 'ISO 4217, where the file does not say')
    .option('--time-zone <iana>', 'of times without one, such as Europe/Berlin')
    .option('--rejected <folder>', 'where bad rows go; beside their file by default')
    .addHelpText('after', example('import orders orders.csv.gz --map orders.yaml'))
    .action(async (kind: string, files: string[], options: ImportOptions, command: Command) => {
      // Readers of all formats: only this command needs them.
      const { runGuess, runImport } = await import('../import.ts');
      if (options.guess === true) {
        // A file alone stands where the kind does; nothing needs to run.
        const guessed = files.length === 0 ? { files: [kind] } : { kind, files };
        const { json } = command.optsWithGlobals<{ json?: boolean }>();
        process.exitCode = await runGuess({ ...guessed, json }, process.stdout);
        return;
      }
      if (files.length === 0) {
        throw new KairosError(
          'IMPORT_INVALID',
          'No file to import is named; add one behind the kind.',
        );
      }
      await withContext(command, async (context) => {
        process.exitCode = await runImport(
          { kind, files, ...options, json: context.json },
          { db: context.db, out: process.stdout, err: process.stderr },
        );
      });
    });
}
