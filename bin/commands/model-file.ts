import type { Command } from 'commander';
import { example, table } from './context.ts';

interface SliceOptions {
  csv: string;
  fold?: string;
  foldValue?: string;
}

function print(command: Command, object: unknown, text: () => string): void {
  const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
  process.stdout.write(json ? `${JSON.stringify(object)}\n` : `${text()}\n`);
}

const n = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(4));
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Commands about model files and data files; nothing needs to run. */
export function addModelFileCommands(program: Command): void {
  program
    .command('evaluate <model>')
    .description('judge a model file on a data file: figures, calibration, lift by tenths')
    .requiredOption('--csv <file>', 'rows with the outcome')
    .option('--fold <column>', 'only rows that say "test" in this column')
    .option('--fold-value <value>', 'or this value')
    .option('--plots <folder>', 'write calibration.svg, gain.svg and importance.svg there')
    .addHelpText('after', example('evaluate model.json --csv bank.csv --fold fold'))
    .action(evaluate);
  program
    .command('compare <a> <b>')
    .description('whether model file B is better than A on the same rows (DeLong)')
    .requiredOption('--csv <file>', 'rows with the outcome that neither learnt from')
    .option('--fold <column>', 'only rows that say "test" in this column')
    .option('--fold-value <value>', 'or this value')
    .addHelpText('after', example('compare old.json new.json --csv bank.csv --fold fold'))
    .action(async (a: string, b: string, options: SliceOptions, command: Command) => {
      const { compareFiles } = await import('../model-file.ts');
      const found = await compareFiles(a, b, options.csv, options);
      print(command, found, () => found.verdict);
    });
  program
    .command('explain-model <model>')
    .description('what a model file relies on, or why one row has its score')
    .option('--csv <file>', 'rows to explain one of')
    .option('--row <n>', 'its number, the first row under the header being 1', Number, 1)
    .addHelpText('after', example('explain-model model.json --csv bank.csv --row 17'))
    .action(explainModel);
}

async function evaluate(
  path: string,
  options: SliceOptions & { plots?: string },
  command: Command,
): Promise<void> {
  const { evaluateFile, readModelFile } = await import('../model-file.ts');
  const found = await evaluateFile(path, options.csv, options);
  if (options.plots !== undefined) {
    const { writePlots } = await import('../plots.ts');
    await writePlots(options.plots, found, (await readModelFile(path)).card);
  }
  const { metrics: m, confusion: c } = found;
  print(command, found, () =>
    [
      `${m.rows.toLocaleString('en')} rows, ${percent(m.rate)} yes; yes from ${found.threshold} on.`,
      '',
      table([
        ['ROC AUC', 'PR AUC', 'log loss', 'Brier', 'ECE', 'accuracy', 'precision', 'recall', 'F1'],
        [m.rocAuc, m.prAuc, m.logLoss, m.brier, m.ece, m.accuracy, m.precision, m.recall, m.f1].map(
          n,
        ),
      ]),
      '',
      table([
        ['', 'said yes', 'said no'],
        ['was yes', c.truePositive, c.falseNegative],
        ['was no', c.falsePositive, c.trueNegative],
      ]),
      '',
      table([
        ['highest scores', 'of all yes', 'lift of the step', 'lift so far'],
        ...found.lift.map((s) => [
          percent(s.share),
          percent(s.gain),
          s.lift.toFixed(2),
          s.liftSoFar.toFixed(2),
        ]),
      ]),
      '',
      table([
        ['predicted', 'came true', 'rows'],
        ...found.calibration.map((b) => [percent(b.predicted), percent(b.observed), b.count]),
      ]),
    ].join('\n'),
  );
}

async function explainModel(
  path: string,
  options: { csv?: string; row: number },
  command: Command,
): Promise<void> {
  const { explainFileRow, readModelFile } = await import('../model-file.ts');
  if (options.csv === undefined) {
    const { cardText } = await import('./train.ts');
    const { card } = await readModelFile(path);
    print(command, card, () => cardText(card, undefined, true));
    return;
  }
  const found = await explainFileRow(path, options.csv, options.row);
  print(command, found, () =>
    [
      `Score ${found.score.toFixed(3)}; of others on average ${found.base.toFixed(3)}. ${found.sentence}`,
      '',
      table([
        ['column', 'says', 'adds'],
        ...found.contributions.map((c) => [c.column, c.cell, c.contribution.toFixed(4)]),
      ]),
      ...found.wouldBe
        .slice(0, 3)
        .map((w) => `Would be ${w.score.toFixed(2)} if ${w.column} were ${w.cell}.`),
    ].join('\n'),
  );
}
