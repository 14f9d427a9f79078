import { type Command, InvalidArgumentError } from 'commander';
import { checkedEndpointUrl } from '../../delivery/webhooks/guarded-post.ts';
import { postWebhook } from '../../delivery/webhooks/sender.ts';
import { newWebhookSecret } from '../../delivery/webhooks/signing.ts';
import { didYouMean } from '../../domain/problem.ts';
import { OUTWARD_TYPES, type OutwardType } from '../../domain/webhooks/outward.ts';
import {
  type WebhookEndpoint,
  addEndpoint,
  deadLetters,
  enableEndpoint,
  endpointTarget,
  removeEndpoint,
  replayDead,
  webhookEndpoints,
} from '../../store/webhook-endpoints.ts';
import { openVault } from '../vault.ts';
import { example, listing, withContext } from './context.ts';
import { addWebhookSourceCommands } from './webhook-source.ts';

const ACTOR = 'operator';

/** Webhooks of shops' systems in, and of message events out. */
export function addWebhookCommands(program: Command): void {
  addWebhookSourceCommands(program);
  addEndpointCommands(program);
}

function addEndpointCommands(program: Command): void {
  const webhooks = program
    .command('webhook')
    .description('tell other systems of message events, by the Standard Webhooks spec');
  webhooks
    .command('add')
    .description('add an endpoint; its secret is shown once')
    .argument('<url>', 'where to post to')
    .requiredOption(
      '--types <types>',
      `"all", or some of ${Object.keys(OUTWARD_TYPES).join(', ')}`,
      typesOf,
    )
    .addHelpText(
      'after',
      example('webhook add https://crm.example/hook --types email.bounced,email.unsubscribed'),
    )
    .action((url: string, { types }: { types: OutwardType[] }, command: Command) =>
      withContext(command, async (context) => {
        const { config, db } = context;
        const checked = checkedEndpointUrl(url, config.webhooksAllowPrivate).href;
        const secret = newWebhookSecret();
        const id = await addEndpoint(db, openVault(config), { url: checked, types, secret }, ACTOR);
        context.print(
          { id, secret, types },
          () =>
            `${id} hears of ${types.join(', ')} from now on.\nIts secret, not shown again: ${secret}`,
        );
      }),
    );
  webhooks
    .command('list')
    .description('all endpoints, and how it goes with them')
    .addHelpText('after', example('webhook list'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const rows = await webhookEndpoints(context.db);
        context.print(rows, () =>
          listing(
            'No endpoint yet; see "kairos webhook add --help".',
            ['endpoint', 'url', 'types', 'delivered', 'waiting', 'dead', 'state'],
            rows.map((row) => [
              row.id,
              row.url,
              row.types.length === Object.keys(OUTWARD_TYPES).length ? 'all' : row.types.join(' '),
              row.delivered,
              row.waiting,
              row.dead,
              stateOf(row),
            ]),
          ),
        );
      }),
    );
  addEndpointCare(webhooks);
  addDeadLetterCommands(webhooks);
}

function stateOf(row: WebhookEndpoint): string {
  if (row.disabledReason !== null) return `disabled: ${row.disabledReason}`;
  if (row.failingSinceMs === null) return 'works';
  return `fails since ${new Date(row.failingSinceMs).toISOString().slice(0, 16)}Z`;
}

function addEndpointCare(webhooks: Command): void {
  webhooks
    .command('test')
    .description('send an endpoint one message of the type webhook.test now')
    .argument('<endpoint>', 'as `webhook list` shows it')
    .addHelpText('after', example('webhook test ep-5f0c1d2e3a'))
    .action((id: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const target = await endpointTarget(context.db, openVault(context.config), id);
        const body = { type: 'webhook.test', timestamp: new Date().toISOString(), data: {} };
        const answer = await postWebhook(
          target,
          { id: `msg_test_${Date.now()}`, body: JSON.stringify(body) },
          { allowPrivate: context.config.webhooksAllowPrivate, timeoutMs: 15_000 },
        );
        const status = answer.status === null ? '' : ` (${answer.status})`;
        context.print({ id, ...answer }, () =>
          answer.error === null
            ? `${id} took it${status}.`
            : `${id} did not take it: ${answer.error}${status}.`,
        );
        if (answer.error !== null) process.exitCode = 1;
      }),
    );
  for (const [name, description, work, done] of [
    ['remove', 'send nothing more, and drop what waits', removeEndpoint, 'is removed'],
    ['enable', 'send again to an endpoint that was disabled', enableEndpoint, 'is tried again'],
  ] as const) {
    webhooks
      .command(name)
      .description(description)
      .argument('<endpoint>', 'as `webhook list` shows it')
      .addHelpText('after', example(`webhook ${name} ep-5f0c1d2e3a`))
      .action((id: string, _: unknown, command: Command) =>
        withContext(command, async (context) => {
          await work(context.db, id, ACTOR);
          context.print({ id, [name]: true }, () => `${id} ${done}.`);
        }),
      );
  }
}

function addDeadLetterCommands(webhooks: Command): void {
  webhooks
    .command('dead')
    .description('messages that no attempt got through, the oldest 100')
    .addHelpText('after', example('webhook dead'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const rows = await deadLetters(context.db);
        context.print(rows, () =>
          listing(
            'No message is given up.',
            ['endpoint', 'message', 'type', 'attempts', 'status', 'why', 'since'],
            rows.map((row) => [
              row.endpointId,
              row.webhookId,
              row.type,
              row.attempts,
              row.lastStatus === null ? null : `${row.lastStatus}`,
              row.lastError,
              new Date(row.deadAtMs).toISOString(),
            ]),
          ),
        );
      }),
    );
  webhooks
    .command('replay')
    .description('try dead messages of an endpoint again')
    .argument('<endpoint>', 'as `webhook list` shows it')
    .argument('[message]', 'only this one, as `webhook dead` shows it')
    .addHelpText('after', example('webhook replay ep-5f0c1d2e3a'))
    .action((id: string, message: string | undefined, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        const count = await replayDead(context.db, id, message ?? null, ACTOR);
        context.print({ id, replayed: count }, () =>
          count === 0
            ? `${id} has no such dead messages.`
            : `${count} are tried again within 30 s.`,
        );
      }),
    );
}

function typesOf(text: string): OutwardType[] {
  const known = Object.keys(OUTWARD_TYPES) as OutwardType[];
  if (text === 'all') return known;
  const given = [...new Set(text.split(',').map((part) => part.trim()))];
  for (const type of given) {
    if ((known as string[]).includes(type)) continue;
    const near = didYouMean(type, known);
    throw new InvalidArgumentError(
      `there is no type "${type}"; ${near ? `did you mean "${near}"?` : `expected "all" or some of ${known.join(', ')}.`}`,
    );
  }
  return given as OutwardType[];
}
