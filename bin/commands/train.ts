import type { Command } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import type { TableCard } from '../../models/train-table.ts';
import { startTraining } from '../temporal.ts';
import type { TrainCsvOptions } from '../train-csv.ts';
import { example, table, withContext } from './context.ts';

type TrainOptions = Partial<TrainCsvOptions> & {
  rows: number;
  seed: number;
  budget: number;
  explain?: boolean;
};

/** `train`: a model of the shop by its workflow, or any yes/no column of a file, with nothing running. */
export function addTrainCommand(program: Command): void {
  program
    .command('train [model]')
    .description('train order-30d or rfm by their workflow, or on a file with --csv')
    .option('--rows <n>', 'people to learn from at most (of the shop)', Number, 20_000)
    .option(
      '--csv <file>',
      'learn from this file: CSV, NDJSON or Parquet, also .gz; nothing needs to run',
    )
    .option('--target <column>', 'the column to predict: two values, such as yes and no')
    .option('--positive <value>', 'which value of the target is yes; found where it can be')
    .option(
      '--ignore <columns...>',
      'columns not to look at, such as ids and what is known too late',
    )
    .option('--fold <column>', 'rows to judge on: "test" in this column, or its highest number')
    .option('--time <column>', 'judge on the latest quarter by this column, and choose by time')
    .option('--group <column>', 'no value of this column (a person) stands on both sides')
    .option('--family <name>', 'only this family; chosen among all by default')
    .option('--seed <n>', 'of all chance', Number, 1)
    .option('--budget <units>', 'work for the choice, about a second a unit', Number, 120)
    .option('--max-seconds <n>', 'stop choosing then; another run may choose otherwise', Number)
    .option(
      '--cost-false-positive <n>',
      'of acting on one who would not; sets the threshold',
      Number,
    )
    .option('--cost-false-negative <n>', 'of leaving out one who would', Number)
    .option('--explain', 'print what the model relies on and what was tried')
    .option('--out <file>', 'write the model and its card (JSON)')
    .addHelpText(
      'after',
      `${example('train order-30d --rows 20000')}  npm run kairos -- train --csv bank.csv --target y --positive yes --ignore duration --explain --out model.json\n`,
    )
    .action(async (model: string | undefined, options: TrainOptions, command: Command) => {
      if (options.csv !== undefined) return trainFile(options, command);
      return trainByWorkflow(model, options, command);
    });
}

async function trainFile(options: TrainOptions, command: Command): Promise<void> {
  const { csv, target } = options;
  if (csv === undefined || target === undefined) {
    throw new KairosError(
      'MODEL_INVALID',
      'The column to predict is not named; add --target with its name.',
    );
  }
  const { trainCsv } = await import('../train-csv.ts');
  const { card, refused } = await trainCsv({ ...options, csv, target });
  const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
  if (json) {
    const status = refused === undefined ? 'trained' : 'refused';
    const told = {
      status,
      reason: refused ?? null,
      family: card.kind,
      ...card,
      out: options.out ?? null,
    };
    process.stdout.write(`${JSON.stringify(told)}\n`);
  } else process.stdout.write(`${cardText(card, refused, options.explain ?? false)}\n`);
  if (refused !== undefined) process.exitCode = 4;
}

/** A card for people: what it is, how good, and what to look at. */
export function cardText(card: TableCard, refused: string | undefined, explained: boolean): string {
  const { metrics, split, selection } = card;
  const n = (value: number | null, digits = 4): string => value?.toFixed(digits) ?? '–';
  const lines = [
    `${card.name}: ${card.kind}, learnt from ${split.train.toLocaleString('en')} rows, judged on ${split.later.toLocaleString('en')} (${split.how}).`,
    '',
    table([
      ['', 'ROC AUC', 'log loss', 'Brier', 'ECE', 'accuracy', 'precision', 'recall', 'F1'],
      ...[
        ['model', metrics] as const,
        [`naive (${card.baseline.kind})`, card.baseline.metrics] as const,
      ].map(([name, m]) => [
        name,
        ...[m.rocAuc, m.logLoss, m.brier, m.ece, m.accuracy, m.precision, m.recall, m.f1].map((v) =>
          n(v),
        ),
      ]),
    ]),
    '',
    `Made of ${selection.members.map((m) => `${(100 * m.weight).toFixed(0)} % ${m.label}`).join(', ')}; chosen by ${selection.how}.`,
  ];
  for (const text of [...card.warnings, ...selection.notes, ...card.limits])
    lines.push(`! ${text}`);
  if (refused !== undefined) lines.push(`Refused: ${refused}`);
  if (explained) {
    lines.push(
      '',
      table([
        ['column', 'ROC AUC without it'],
        ...card.importance.map((i) => [i.feature, `−${i.aucDrop.toFixed(4)}`]),
      ]),
    );
    lines.push(
      '',
      table([
        ['tried', 'score', 'rows'],
        ...selection.tried.map((t) => [t.label, n(t.score), t.rows]),
      ]),
    );
    lines.push('', table([['column', 'taken as'], ...card.columns.map((c) => [c.name, c.as])]));
  }
  return lines.join('\n');
}

async function trainByWorkflow(
  model: string | undefined,
  options: TrainOptions,
  command: Command,
): Promise<void> {
  if (model !== 'order-30d' && model !== 'rfm') {
    throw new KairosError(
      'MODEL_UNKNOWN',
      model === undefined
        ? 'Nothing to train is named; expected order-30d, rfm, or a file with --csv and --target.'
        : `There is no model ${model} to train; expected order-30d or rfm, or a file with --csv.`,
    );
  }
  await withContext(command, async (context) => {
    const run = await startTraining(context.temporal, { version: 1, model, rowsMax: options.rows });
    context.say(`training ${model}: ${run.workflowId}`);
    const result = await run.result();
    context.print(result, () =>
      result.status === 'current'
        ? `${model} version ${result.version} is current; ${result.scored.toLocaleString('en-US')} people scored.`
        : `${model} version ${result.version} was refused: ${result.reason}`,
    );
  });
}
