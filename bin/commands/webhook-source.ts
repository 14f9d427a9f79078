import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { KairosError } from '../../domain/errors.ts';
import { SOURCE_KINDS, type SourceKind } from '../../domain/webhooks/inward.ts';
import {
  putWebhookSource,
  removeWebhookSource,
  webhookSources,
} from '../../store/webhook-sources.ts';
import { openVault } from '../vault.ts';
import { example, table, withContext } from './context.ts';

const ACTOR = 'operator';
const SECRET_VARIABLE = 'KAIROS_WEBHOOK_SECRET';

interface SourceFlags {
  name?: string;
  secretFile?: string;
  orderKey: 'id' | 'number';
  currency?: string;
  shopUrl?: string;
  includeTests: boolean;
}

/** Shops' systems that send webhooks. */
export function addWebhookSourceCommands(program: Command): void {
  const sources = program
    .command('webhook-source')
    .description('shop systems that send orders and customers by webhook');
  sources
    .command('add')
    .description('take webhooks of a shop system, or change the secret and options of one')
    .argument('<kind>', SOURCE_KINDS.join(', '), kindOf)
    .option('--name <name>', 'stands in its address; the kind by default')
    .option(
      '--secret-file <file>',
      `what it signs with; else ${SECRET_VARIABLE}, else standard input`,
    )
    .addOption(
      new Option('--order-key <key>', 'what an order is known by: as your imported orders are')
        .choices(['id', 'number'])
        .default('id'),
    )
    .option(
      '--currency <code>',
      'of the prices of the catalogue; without it products are not taken',
      currencyOf,
    )
    .option('--shop-url <url>', 'where products are shown', shopUrlOf)
    .option('--include-tests', 'count test orders too', false)
    .addHelpText(
      'after',
      example(
        'webhook-source add shopify --currency EUR --shop-url https://shop.example < secret.txt',
      ),
    )
    .action((kind: SourceKind, flags: SourceFlags, command: Command) =>
      withContext(command, async (context) => {
        const id = flags.name ?? kind;
        const secret = await readSecret(flags.secretFile);
        const { orderKey, currency, shopUrl, includeTests } = flags;
        const options = {
          orderKey,
          includeTests,
          ...(currency === undefined ? {} : { currency }),
          ...(shopUrl === undefined ? {} : { shopUrl }),
        };
        const done = await putWebhookSource(
          context.db,
          openVault(context.config),
          { id, kind, secret, options },
          ACTOR,
        );
        const url = `${context.config.publicUrl}/v1/webhooks/${id}`;
        context.print(
          { id, kind, url, done },
          () => `${id} is ${done}. Let ${kind} send to\n${url}`,
        );
      }),
    );
  addSourceCare(sources);
}

function addSourceCare(sources: Command): void {
  sources
    .command('list')
    .description('all sources, without their secrets')
    .addHelpText('after', example('webhook-source list'))
    .action((_: unknown, command: Command) =>
      withContext(command, async (context) => {
        const rows = (await webhookSources(context.db)).map(({ sealed: _sealed, ...source }) => ({
          ...source,
          url: `${context.config.publicUrl}/v1/webhooks/${source.id}`,
        }));
        context.print(rows, () =>
          table([
            ['name', 'kind', 'orders by', 'address'],
            ...rows.map(({ id, kind, options, url }) => [id, kind, options.orderKey ?? 'id', url]),
          ]),
        );
      }),
    );
  sources
    .command('remove')
    .description('take no more from a source, from within five seconds on')
    .argument('<name>', 'as `webhook-source list` shows it')
    .addHelpText('after', example('webhook-source remove shopify'))
    .action((id: string, _: unknown, command: Command) =>
      withContext(command, async (context) => {
        await removeWebhookSource(context.db, id, ACTOR);
        context.print({ id, removed: true }, () => `${id} is removed.`);
      }),
    );
}

/** Never an argument: those stand in the history of shells and in lists of processes. */
async function readSecret(file: string | undefined): Promise<string> {
  const secret = (
    file === undefined
      ? (process.env[SECRET_VARIABLE] ?? (process.stdin.isTTY ? '' : await standardInput()))
      : await readFile(file, 'utf8').catch(() => {
          throw new KairosError(
            'WEBHOOK_INVALID',
            `The file of --secret-file cannot be read: ${file}.`,
          );
        })
  ).trim();
  if (secret.length >= 8 && secret.length <= 500) return secret;
  throw new KairosError(
    'WEBHOOK_INVALID',
    `The secret that the webhooks are signed with is ${secret === '' ? 'missing' : 'not of 8 to 500 characters'}: give it by --secret-file FILE, by ${SECRET_VARIABLE}, or by standard input.`,
  );
}

async function standardInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk as string;
    if (text.length > 10_000) break;
  }
  return text;
}

function kindOf(text: string): SourceKind {
  const kind = SOURCE_KINDS.find((one) => one === text);
  if (kind) return kind;
  throw new InvalidArgumentError(`expected one of ${SOURCE_KINDS.join(', ')}.`);
}

function currencyOf(text: string): string {
  if (/^[A-Za-z]{3}$/.test(text)) return text.toUpperCase();
  throw new InvalidArgumentError('expected a currency code of three letters, such as EUR.');
}

function shopUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url.href.replace(/\/+$/, '');
  throw new InvalidArgumentError('expected an address that starts with https://.');
}
