import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { budgetReach } from '../../domain/budget.ts';
import { KairosError } from '../../domain/errors.ts';
import { MODES } from '../../domain/mode.ts';
import { campaignById } from '../../store/campaigns.ts';
import { shopNowMs } from '../../store/clock.ts';
import { ledgerCounts, skippedByReason, unknownMessages } from '../../store/ledger.ts';
import { awaitProjected } from '../../store/projector.ts';
import { warehouseSource } from '../../store/report-source.ts';
import { buildReport } from '../../store/report.ts';
import { reactionsOf } from '../campaign-deps.ts';
import { printReport, summaryOf } from '../demo/print.ts';
import { explain } from '../explain.ts';
import { assertFileFine, checkedFile, launch, propose } from '../launch.ts';
import { missingFieldCounts, preview } from '../preview.ts';
import { campaignWorkflowId } from '../temporal.ts';
import { type CommandContext, example, table, withContext } from './context.ts';

const me = (): string => userInfo().username;

/** What a marketer does with a campaign. */
export function addCampaignCommands(program: Command): void {
  const campaign = program.command('campaign').description('check, launch and steer campaigns');
  addFileCommands(campaign);
  addSteering(campaign);
  campaign
    .command('report <id>')
    .description('what a campaign did and earned, as of now')
    .addHelpText('after', example('campaign report win-back'))
    .action((id: string, _: unknown, command: Command) =>
      withContext(command, (context) => report(context, id)),
    );
  program
    .command('explain <campaign> <person>')
    .description('why this person got this mail: the whole chain, from segment clause to click')
    .addHelpText('after', example('explain win-back c42'))
    .action((id: string, person: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const chain = await explain(context, id, person);
        context.print(chain.data, () => chain.text);
      }),
    );
}

function addFileCommands(campaign: Command): void {
  campaign
    .command('check <file>')
    .description(
      'every problem of a campaign file as file:line:column, and fields that members lack',
    )
    .addHelpText('after', example('campaign check campaigns/win-back.ts'))
    .action(async (file: string, _: unknown, command: Command) => {
      // What is wrong with the file itself can be said without anything running.
      await assertFileFine(file);
      await withContext(command, (context) => check(context, file));
    });
  campaign
    .command('preview <file> <person>')
    .description('the very mail that a person would get, and why; sends nothing')
    .option('--html <path>', 'write the HTML part to a file')
    .addHelpText('after', example('campaign preview campaigns/win-back.ts c42 --html mail.html'))
    .action((file: string, person: string, options: { html?: string }, command: Command) =>
      withContext(command, async (context) => {
        const shown = await preview(context, file, person, options.html);
        context.print(shown.data, () => shown.text);
      }),
    );
  campaign
    .command('launch <file>')
    .description('state whom it would reach and why, ask, and start it')
    .option('--yes', 'do not ask')
    .option('--expect <count>', 'refuse unless about that many people would be reached', Number)
    .option('--mode <mode>', MODES.join(', '), 'live')
    .addHelpText('after', example('campaign launch campaigns/win-back.ts --expect 1200'))
    .action((file: string, options: LaunchOptions, command: Command) =>
      withContext(command, (context) => launchFile(context, file, options)),
    );
}

interface LaunchOptions {
  yes?: boolean;
  expect?: number;
  mode: string;
}

const plural = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;

async function check(context: CommandContext, file: string): Promise<void> {
  const checked = await checkedFile(context.db, file);
  const proposal = await propose(context, file, 0);
  const missing = await missingFieldCounts(context, checked, proposal.campaign);
  context.print({ file, ok: true, expected: proposal.expected, missing }, () =>
    [
      `${file} is fine: ${plural(proposal.campaign.variants.length, 'variant')}, ${plural(proposal.expected, 'person', 'people')} now.`,
      ...missing.map(
        ({ field, people }) =>
          `${people.toLocaleString('en-US')} of them lack ${field}, which the template needs: they would be skipped; give it a fallback.`,
      ),
    ].join('\n'),
  );
}

async function launchFile(
  context: CommandContext,
  file: string,
  options: LaunchOptions,
): Promise<void> {
  const mode = MODES.find((known) => known === options.mode);
  if (!mode) {
    throw new KairosError(
      'CAMPAIGN_INVALID',
      `--mode is ${options.mode}; expected one of ${MODES.join(', ')}.`,
    );
  }
  const proposal = await propose(context, file, 20);
  context.say(
    `${proposal.campaign.name} would reach ${proposal.expected.toLocaleString('en-US')} people, among them:`,
  );
  for (const { externalId, score, reason } of proposal.members) {
    context.say(
      `  ${externalId}${score === null ? '' : ` (score ${score.toFixed(3)})`}: ${reason}`,
    );
  }
  const reach = budgetReach(proposal.campaign, proposal.expected);
  if (reach !== null && reach < proposal.expected) {
    context.say(
      `Its budget reaches about ${reach.toLocaleString('en-US')} of them; the rest are skipped.`,
    );
  }
  const tolerance = proposal.campaign.driftTolerance;
  if (
    options.expect !== undefined &&
    Math.abs(proposal.expected - options.expect) > tolerance * options.expect
  ) {
    throw new KairosError(
      'AUDIENCE_DRIFTED',
      `--expect says ${options.expect} people, and the segment has ${proposal.expected} now, more than ${tolerance * 100} % apart; look at it again.`,
    );
  }
  if (!options.yes && options.expect === undefined && !(await confirmed('Launch it?'))) return;
  const { row, run } = await launch(context, proposal, {
    by: me(),
    mode,
    expected: options.expect ?? proposal.expected,
  });
  context.print({ campaign: row.id, run, expected: row.expectedCount, hash: row.hash }, () =>
    run === 'started'
      ? `${row.id} started; \`npm run kairos -- campaign report ${row.id}\``
      : `${row.id} is ${run} already.`,
  );
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new KairosError(
      'CAMPAIGN_INVALID',
      'There is nobody to ask: add --expect with the count you approve, or --yes.',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** Commands that are an Update of the run: it says yes or no at once. */
function addSteering(campaign: Command): void {
  const steer = (
    name: string,
    description: string,
    args: (row: { hash: string }, value?: string) => unknown,
    value?: string,
  ): void => {
    campaign
      .command(`${name} <id>${value ? ` <${value}>` : ''}`)
      .description(description)
      .addHelpText('after', example(`campaign ${name} win-back${value ? ' 50' : ''}`))
      .action((...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const [id, argument] = given as [string, string | undefined];
        return withContext(command, async (context) => {
          const row = await campaignById(context.db, id);
          const update = name === 'rate' ? 'setRate' : name;
          const result = await update_(
            context,
            id,
            update,
            args(row, value ? argument : undefined),
          );
          context.print(
            { campaign: id, [name]: result ?? true },
            () => `${id}: ${name} done${result ? ` ${JSON.stringify(result)}` : ''}`,
          );
          if (name === 'recall') await listGone(context, row.no);
        });
      });
  };
  steer('pause', 'send nothing more until it is resumed', () => ({ by: me() }));
  steer('resume', 'go on after a pause', () => ({ by: me() }));
  steer('approve', 'let a campaign that needs an approval go on', ({ hash }) => ({
    by: me(),
    hash,
  }));
  steer(
    'recall',
    'take back every message that is not handed over yet, and list those that are gone',
    () => ({ by: me() }),
  );
  steer('cancel', 'end it: what is not sent stays unsent', () => ({ by: me() }));
  steer(
    'rate',
    'messages a second; "none" lifts the limit',
    (_, text) => ({ by: me(), ratePerSecond: text === 'none' ? null : Number(text) }),
    'per-second',
  );
}

async function update_(
  context: CommandContext,
  id: string,
  name: string,
  argument: unknown,
): Promise<unknown> {
  try {
    return await context.temporal.workflow
      .getHandle(campaignWorkflowId(id))
      .executeUpdate(name, { args: [argument] });
  } catch (error) {
    const cause = (error as { cause?: { message?: string } }).cause?.message;
    throw cause ? new KairosError('STATE_CONFLICT', `${id}: ${cause}`) : error;
  }
}

async function listGone(context: CommandContext, campaignNo: number): Promise<void> {
  const { rows } = await context.db.query<{ externalId: string; state: number }>(
    `select coalesce(p.external_id, m.person_id::text) as "externalId", m.state from message m
     left join person p on p.id = m.person_id
     where m.campaign_no = $1 and m.state in (3, 10, 12, 14) order by m.handed_at limit 1000`,
    [campaignNo],
  );
  const words: Record<number, string> = { 3: 'handed', 10: 'sent', 12: 'bounced', 14: 'unknown' };
  for (const row of rows) context.say(`  gone: ${row.externalId} (${words[row.state]})`);
}

async function report(context: CommandContext, id: string): Promise<void> {
  const row = await campaignById(context.db, id);
  await awaitProjected(context.db, { timeoutMs: 60_000 });
  const built = await buildReport(context.db, warehouseSource(context.warehouse), row, {
    nowMs: await shopNowMs(context.db),
    reactions: await reactionsOf(context.db),
  });
  if (context.json) {
    const { mode, open, waiting, budget, refunded } = built;
    const more = { mode, stage: row.stage, open, waiting, budget, refunded };
    process.stdout.write(`${JSON.stringify({ ...summaryOf(built, 0), ...more })}\n`);
    return;
  }
  printReport({ config: context.config, say: (text) => process.stdout.write(`${text}\n`) }, built);
  const [counts, reasons, unknown] = await Promise.all([
    ledgerCounts(context.db, row.no),
    skippedByReason(context.db, row.no),
    unknownMessages(context.db, row.no),
  ]);
  process.stdout.write(
    `\n${table([['stage', row.stage], ['waiting', row.waiting], ...Object.entries(counts)])}\n`,
  );
  if (Object.keys(reasons).length > 0)
    process.stdout.write(`\n${table(Object.entries(reasons))}\n`);
  for (const message of unknown) {
    process.stdout.write(
      `unknown: person ${message.personId}, handed at ${message.handedAt.toISOString()}\n`,
    );
  }
}
