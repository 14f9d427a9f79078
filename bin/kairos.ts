import { Command, CommanderError } from 'commander';
import { KairosError } from '../domain/errors.ts';
import { addCampaignCommands } from './commands/campaign.ts';
import { addEraseCommand } from './commands/erase.ts';
import { addIntakeCommands } from './commands/intake.ts';
import { addDataCommands } from './commands/data.ts';
import { addModelFileCommands } from './commands/model-file.ts';
import { addModelsCommands } from './commands/models.ts';
import { addOperatorCommands } from './commands/operator.ts';
import { addSegmentCommands } from './commands/segment.ts';
import { addTrainCommand } from './commands/train.ts';
import { addWebhookCommands } from './commands/webhook.ts';

/** Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the thing asked for is not there, 4 a check found problems. */
export const EXIT = { done: 0, failed: 1, usage: 2, missing: 3, problems: 4 } as const;

const program = new Command('kairos')
  .description(
    'Marketing campaigns as durable workflows. Talks to the stack that `npm start` runs.',
  )
  .option(
    '--shop <name>',
    'which data: sample, complete-journey or none; the running one by default',
  )
  .option('--json', 'print one JSON object instead of text')
  .showHelpAfterError('(--help shows what there is)')
  .configureHelp({ sortSubcommands: false })
  .exitOverride();

addDataCommands(program);
addTrainCommand(program);
addModelFileCommands(program);
addModelsCommands(program);
addSegmentCommands(program);
addCampaignCommands(program);
addIntakeCommands(program);
addWebhookCommands(program);
addEraseCommand(program);
addOperatorCommands(program);

try {
  await program.parseAsync();
  process.exit(process.exitCode ?? EXIT.done);
} catch (error) {
  process.exit(report(error));
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  const json = program.opts<{ json?: boolean }>().json ?? false;
  const code = error instanceof KairosError ? error.code : 'FAILED';
  const message = error instanceof Error ? explain(error) : String(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`${message}\n`);
  if (code.endsWith('_UNKNOWN')) return EXIT.missing;
  return code === 'CAMPAIGN_INVALID' || code === 'SEGMENT_INVALID' ? EXIT.problems : EXIT.failed;
}

/** What an operator can do about it, where the cause is that nothing runs. */
function explain(error: Error): string {
  const cause = (error as { code?: string }).code ?? '';
  if (
    cause === 'ECONNREFUSED' ||
    /ECONNREFUSED|Failed to connect|WAREHOUSE_DOWN/.test(`${error.message} ${cause}`)
  ) {
    return `Kairos does not run here, or a part of it is down: start it with \`npm start\`, or see \`npm run kairos -- doctor\`. (${error.message})`;
  }
  return error instanceof KairosError ? error.message : (error.stack ?? error.message);
}
