import { spawnSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { verifyAudit } from '../../store/audit.ts';
import { awaitProjected, projectorState, resetProjector } from '../../store/projector.ts';
import { changeRetention, readRetention } from '../../store/retention.ts';
import { compareDays, type DayCount } from '../../store/warehouse/compare.ts';
import { doctor } from '../doctor.ts';
import { recover } from '../recover.ts';
import { type CommandContext, example, table, withContext } from './context.ts';

/** What keeps it running. */
export function addOperatorCommands(program: Command): void {
  program
    .command('up')
    .description('the same as `npm start`')
    .allowUnknownOption()
    .helpOption(false)
    .argument('[args...]')
    .addHelpText('after', example('up --shop none'))
    .action((args: string[]) => {
      const { status } = spawnSync(
        process.execPath,
        [join(import.meta.dirname, '../up.ts'), ...args],
        { stdio: 'inherit' },
      );
      process.exitCode = status ?? 1;
    });
  program
    .command('recover')
    .description(
      'after a tier was lost: start lost runs again, fill an empty warehouse from the log',
    )
    .addHelpText('after', example('recover'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const lines: string[] = [];
        const runs = await recover(context, (line) => lines.push(line));
        context.print({ runs, notes: lines }, () => lines.join('\n') || 'Nothing was lost.');
      }),
    );
  program
    .command('rebuild-warehouse')
    .description('delete the warehouse and copy the whole event log into it again')
    .option('--check', 'delete nothing: compare events, rows and sums of each day with the log')
    .addHelpText('after', example('rebuild-warehouse --check'))
    .action((options: { check?: boolean }, command: Command) =>
      withContext(command, options.check === true ? checkWarehouse : rebuild),
    );
  addAudit(program);
  program
    .command('retention')
    .description(
      'how many days old data is kept; deletes nothing itself, its schedule does each day',
    )
    .option('--set <name=days...>', 'change a setting; "never" keeps it for ever')
    .addHelpText('after', example('retention --set trackingDays=400 behaviourDays=never'))
    .action((options: { set?: string[] }, command: Command) =>
      withContext(command, (context) => retention(context, options.set ?? [])),
    );
  program
    .command('doctor')
    .description('check every part, and say how to mend what is wrong')
    .option('--mail-to <address>', 'also send a test mail there and look at what the relay says')
    .addHelpText('after', example('doctor'))
    .action(async (options: { mailTo?: string }, command: Command) => {
      process.exitCode = await doctor(command, options.mailTo);
    });
}

function addAudit(program: Command): void {
  const audit = program.command('audit').description('the audit trail');
  audit
    .command('verify')
    .description('walk the chain of hashes; names a row that was changed, removed or reordered')
    .addHelpText('after', example('audit verify'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const verdict = await verifyAudit(context.db, (n) =>
          context.say(`  ${n.toLocaleString('en-US')} rows checked`),
        );
        context.print(verdict, () =>
          verdict.ok
            ? `The trail is whole: ${verdict.sealed} rows sealed, ${verdict.unsealed} not sealed yet; head ${verdict.head.slice(0, 16)}.`
            : `The trail is BROKEN at row ${verdict.auditId} (seal ${verdict.seq}): it was ${verdict.problem}.`,
        );
        if (!verdict.ok) process.exitCode = 4;
      }),
    );
}

async function retention(context: CommandContext, changes: readonly string[]): Promise<void> {
  const change = Object.fromEntries(
    changes.map((text) => {
      const [name, days] = text.split('=', 2);
      return [name!, days === 'never' ? null : /^\d+$/.test(days ?? '') ? Number(days) : days];
    }),
  );
  const settings =
    changes.length === 0
      ? await readRetention(context.db)
      : await changeRetention(context.db, { actor: userInfo().username }, change);
  context.print(settings, () =>
    table(Object.entries(settings).map(([name, days]) => [name, days ?? 'never'])),
  );
}

async function checkWarehouse(context: CommandContext): Promise<void> {
  await awaitProjected(context.db, { timeoutMs: 60_000 });
  const found = await compareDays(context.db, context.warehouse, (events) =>
    context.say(`  ${events.toLocaleString('en-US')} events of the log read`),
  );
  const { differences, days, events } = found;
  if (differences.length > 0) process.exitCode = 4;
  const text = ({ events: n, rows, cents }: DayCount): string =>
    `${n} events, ${rows} rows, ${(cents / 100).toFixed(2)}`;
  context.print(found, () =>
    differences.length === 0
      ? `The warehouse holds what the log says: ${events.toLocaleString('en-US')} events of ${days} days.`
      : [
          table([
            ['day', 'by the log', 'in the warehouse'],
            ...differences.map((day) => [day.day, text(day.log), text(day.warehouse)]),
          ]),
          'Look again while no events come in; if it stays, run "kairos rebuild-warehouse".',
        ].join('\n'),
  );
}

async function rebuild(context: CommandContext): Promise<void> {
  const began = performance.now();
  await context.warehouse.reset();
  await resetProjector(context.db);
  for (;;) {
    const { projected, logged } = await projectorState(context.db);
    const seconds = (performance.now() - began) / 1_000;
    const rate = projected / seconds;
    const left = rate > 0 ? Math.ceil((logged - projected) / rate) : null;
    context.say(
      `  ${projected.toLocaleString('en-US')} of ${logged.toLocaleString('en-US')} events, ${Math.round(rate).toLocaleString('en-US')}/s${left === null ? '' : `, ${left} s left`}`,
    );
    if (projected >= logged) break;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const counts = await context.warehouse.counts();
  context.print(
    { ...counts, seconds: (performance.now() - began) / 1_000 },
    () =>
      `The warehouse holds ${counts.events.toLocaleString('en-US')} events of ${counts.people.toLocaleString('en-US')} people.`,
  );
}
