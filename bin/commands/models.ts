import type { Command } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import { lastDrift, listModels, modelRow, versionBefore } from '../../store/model-lifecycle.ts';
import { startPromotion, tellDecision } from '../temporal.ts';
import { example, table, withContext } from './context.ts';

/** `models`: what was trained, what is in use, and the way from one to the other. */
export function addModelsCommands(program: Command): void {
  const models = program
    .command('models')
    .description('trained models of the shop: list, show, decide');
  models
    .command('list [name]')
    .description('versions, the newest first')
    .addHelpText('after', example('models list order-30d'))
    .action((name: string | undefined, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const { db } = context;
        const rows = await listModels(db, name ?? null);
        context.print(rows, () =>
          table([
            ['version', 'name', 'status', 'trained'],
            ...rows.map((row) => [row.version, row.name, row.status, row.createdAt.toISOString()]),
          ]),
        );
      }),
    );
  models
    .command('show <version>')
    .description('the card of a version, and what the last look at its drift found')
    .addHelpText('after', example('models show 3'))
    .action((version: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const { db } = context;
        const shown = {
          ...(await modelRow(db, Number(version))),
          drift: await lastDrift(db, Number(version)),
        };
        context.print(shown, () => JSON.stringify(shown, null, 2));
      }),
    );
  addDecisions(models);
}

function addDecisions(models: Command): void {
  for (const approve of [true, false]) {
    models
      .command(approve ? 'approve <version>' : 'turn-down <version>')
      .description(approve ? 'use a challenger from now on' : 'retire a challenger')
      .option('--by <role>', 'whose decision it is', 'operator')
      .action((version: string, { by }: { by: string }, command: Command) =>
        withContext(command, async (context) => {
          const { db, temporal } = context;
          const row = await modelRow(db, Number(version));
          if (row.status !== 'candidate' || row.workflowId === null) {
            throw new KairosError(
              'MODEL_INVALID',
              `Version ${version} of ${row.name} is ${row.status}; only a candidate waits for a decision.`,
            );
          }
          await tellDecision(temporal, row.workflowId, { approve, by });
          context.print({ version: row.version, approve }, () => `Told ${row.workflowId!}.`);
        }),
      );
  }
  models
    .command('promote <version>')
    .description('use this version from now on, and score everyone by it')
    .option('--by <role>', 'whose decision it is', 'operator')
    .action((version: string, { by }: { by: string }, command: Command) =>
      withContext(command, async (context) => {
        const { db, temporal } = context;
        const row = await modelRow(db, Number(version));
        const input = { version: 1, model: row.name, modelVersion: row.version, by } as const;
        const result = await startPromotion(temporal, { ...input, action: 'model promoted' });
        context.print(
          result,
          () => `${row.name} version ${row.version} is in use; ${result.scored} people scored.`,
        );
      }),
    );
  models
    .command('rollback <name>')
    .description('use the version again that was in use before the current one')
    .option('--by <role>', 'whose decision it is', 'operator')
    .addHelpText('after', example('models rollback order-30d'))
    .action((name: string, { by }: { by: string }, command: Command) =>
      withContext(command, async (context) => {
        const { db, temporal } = context;
        const modelVersion = await versionBefore(db, name);
        const input = { version: 1, model: name, modelVersion, by } as const;
        const result = await startPromotion(temporal, { ...input, action: 'model rolled back' });
        context.print(
          result,
          () => `${name} is back at version ${modelVersion}; ${result.scored} people scored.`,
        );
      }),
    );
}
