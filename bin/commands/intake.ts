import { type Command, InvalidArgumentError } from 'commander';
import { identityLinks, mergeCustomers, splitIdentity } from '../../store/identity.ts';
import { createWriteKey, revokeWriteKey, writeKeys } from '../../store/write-keys.ts';
import { example, listing, withContext } from './context.ts';

const ACTOR = 'operator';

/** What the intake over HTTP needs: its keys, and who is who. */
export function addIntakeCommands(program: Command): void {
  const keys = program.command('write-key').description('keys that may send events');
  keys
    .command('create')
    .description('make a key; it is shown once')
    .argument('<name>', 'what it is for, such as "shop backend"')
    .option('--browser', 'for a page: public, so it grants no consent and merges nobody', false)
    .option('--rate <events>', 'events a second that it may send', rateOf)
    .addHelpText('after', example('write-key create "shop backend"'))
    .action((name: string, options: { browser: boolean; rate?: number }, command: Command) =>
      withContext(command, async (context) => {
        const kind = options.browser ? 'browser' : 'server';
        const made = await createWriteKey(
          context.db,
          { name, kind, ratePerSecond: options.rate ?? null },
          ACTOR,
        );
        context.print(made, () => `${made.key}\nIt is not shown again; its number is ${made.id}.`);
      }),
    );
  keys
    .command('list')
    .description('all keys, without themselves')
    .addHelpText('after', example('write-key list'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const rows = (await writeKeys(context.db)).map(({ hash: _hash, ...key }) => key);
        context.print(rows, () =>
          listing(
            'No write key yet; see "kairos write-key create --help".',
            ['number', 'name', 'kind', 'events/s', 'state'],
            rows.map((key) => [
              key.id,
              key.name,
              key.kind,
              key.ratePerSecond ?? 'any',
              key.revokedAtMs === null ? 'in force' : 'revoked',
            ]),
          ),
        );
      }),
    );
  keys
    .command('revoke')
    .description('take no more events with a key, from within five seconds on')
    .argument('<number>', 'as `write-key list` shows it')
    .addHelpText('after', example('write-key revoke 5f0c1d2e3a4b'))
    .action((id: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        await revokeWriteKey(context.db, id, ACTOR);
        context.print({ id, revoked: true }, () => `${id} is revoked.`);
      }),
    );
  addIdentityCommands(program);
}

function addIdentityCommands(program: Command): void {
  const identity = program.command('identity').description('who is who: links, merges and splits');
  identity
    .command('show')
    .description('visitors and customers that went into a person')
    .argument('<person>', 'the shop’s id')
    .addHelpText('after', example('identity show customer-17'))
    .action((person: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const links = await identityLinks(context.db, person);
        context.print(links, () =>
          listing(
            'Nobody went into this person.',
            ['link', 'kind', 'from', 'events', 'by', 'state'],
            links.map((link) => [
              link.id,
              link.kind,
              link.from,
              link.events,
              link.actor,
              link.undone ? 'undone' : link.done ? 'in force' : 'waiting',
            ]),
          ),
        );
      }),
    );
  identity
    .command('merge')
    .description(
      'make one person of two: history, traits and consent of the first go to the second',
    )
    .argument('<from>', 'the shop’s id of the customer that is left no more')
    .argument('<into>', 'the shop’s id of the one that stays')
    .addHelpText('after', example('identity merge guest-99 customer-17'))
    .action((from: string, into: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const link = await mergeCustomers(context.db, from, into, ACTOR);
        context.print({ link }, () => `Merged; \`kairos identity split ${link}\` undoes it.`);
      }),
    );
  identity
    .command('split')
    .description('undo a link or a merge; what came since stays')
    .argument('<link>', 'as `identity show` lists it', linkOf)
    .addHelpText('after', example('identity split 12'))
    .action((link: number, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        await splitIdentity(context.db, link, ACTOR);
        context.print({ link, split: true }, () => `Link ${link} is undone.`);
      }),
    );
}

function rateOf(text: string): number {
  if (/^[1-9]\d{0,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number of events a second.');
}

function linkOf(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected the number of a link.');
}
