import type { Command } from 'commander';
import nodemailer from 'nodemailer';
import { formatAddress, parseAddress } from '../domain/address.ts';
import { KairosError } from '../domain/errors.ts';
import { warmUpStates } from '../store/lanes.ts';
import { connectPostgres } from '../store/postgres.ts';
import { projectorState } from '../store/projector.ts';
import { openTicketQueue } from '../delivery/queue.ts';
import { type Config, loadConfig } from './config.ts';
import { loadLanes } from './lanes.ts';
import { assertRelaySafe, openTransport } from './mail.ts';
import { readShop } from './catalogue.ts';
import { connectTemporal } from './temporal.ts';
import { openWarehouse } from './warehouse-client.ts';

interface Check {
  name: string;
  run(config: Config): Promise<string>;
  mend: string;
}

const CHECKS: readonly Check[] = [
  {
    name: 'PostgreSQL',
    mend: 'start Kairos with `npm start`, or set DATABASE_URL to a PostgreSQL that runs.',
    async run(config) {
      const db = connectPostgres(config.database.url.reveal(), 'doctor', 1);
      try {
        const { rows } = await db.query<{ v: string; n: number }>(
          `select current_setting('server_version') as v, (select count(*) from migration) as n`,
        );
        return `${rows[0]!.v}, ${rows[0]!.n} migrations`;
      } finally {
        await db.end();
      }
    },
  },
  {
    name: 'Warehouse',
    mend: 'start Kairos with `npm start`; if its files are broken, delete the folder and run `npm run kairos -- rebuild-warehouse`.',
    async run(config) {
      const warehouse = openWarehouse(config);
      try {
        const counts = await warehouse.counts();
        return `${counts.events.toLocaleString('en-US')} events, ${counts.people.toLocaleString('en-US')} people`;
      } finally {
        await warehouse.close();
      }
    },
  },
  {
    name: 'Projector',
    mend: 'it is a loop of the server process: look into its log, and into long transactions of PostgreSQL.',
    async run(config) {
      const db = connectPostgres(config.database.url.reveal(), 'doctor', 1);
      try {
        const { projected, logged } = await projectorState(db);
        if (logged - projected > 50_000)
          throw new Error(`it is ${logged - projected} events behind`);
        return `${projected.toLocaleString('en-US')} of ${logged.toLocaleString('en-US')} events copied`;
      } finally {
        await db.end();
      }
    },
  },
  {
    name: 'Queue',
    mend: 'restart the sender, which makes the tables again; with QUEUE_URL check the Redis or Valkey.',
    async run(config) {
      const queue = openTicketQueue((config.queueUrl ?? config.database.url).reveal());
      try {
        const depth = await queue.depth();
        return `tickets: ${Object.entries(depth)
          .map(([lane, n]) => `${lane} ${n}`)
          .join(', ')}`;
      } finally {
        await queue.close();
      }
    },
  },
  {
    name: 'Temporal',
    mend: 'start Kairos with `npm start`, or check temporal.toml and TEMPORAL_ADDRESS.',
    async run(config) {
      const client = await connectTemporal(config);
      try {
        const info = await client.workflowService.getSystemInfo({});
        return `server ${info.serverVersion}, namespace ${config.temporal.namespace}`;
      } finally {
        await client.connection.close();
      }
    },
  },
  {
    name: 'Relay',
    mend: 'check SMTP_URL: scheme, host, port, user and password.',
    async run(config) {
      const transport = openTransport(config);
      try {
        const facts = await transport.verify();
        return `${facts.secured ? 'TLS' : 'no TLS'}, ${facts.extensions.join(' ')}`;
      } finally {
        await transport.close();
      }
    },
  },
  {
    name: 'Lanes',
    mend: 'mend the lane file at the place that is named; docs/reference/lanes.md has its fields.',
    async run(config) {
      const lanes = loadLanes(config);
      const db = connectPostgres(config.database.url.reveal(), 'doctor', 1);
      try {
        const warming = (await warmUpStates(db, lanes)).map(
          ({ lane, day, used, limit }) => `${lane} day ${day}, ${used} of ${limit} sent today`,
        );
        return warming.length > 0 ? `warm-up: ${warming.join('; ')}` : 'no warm-up';
      } finally {
        await db.end();
      }
    },
  },
  {
    name: 'Launch',
    mend: 'see the sentence.',
    run(config) {
      assertRelaySafe(config);
      return Promise.resolve('allowed with this relay');
    },
  },
];

/** Runs every check; the exit code is 4 where one failed. */
export async function doctor(command: Command, mailTo?: string): Promise<number> {
  const { shop, json = false } = command.optsWithGlobals<{ shop?: string; json?: boolean }>();
  const config = loadConfig(shop === undefined ? {} : { shop });
  const results: { name: string; ok: boolean; detail: string; mend?: string }[] = [];
  for (const check of CHECKS) {
    try {
      results.push({ name: check.name, ok: true, detail: await inTime(check.run(config)) });
    } catch (error) {
      results.push({
        name: check.name,
        ok: false,
        detail: (error as Error).message || (error as { code?: string }).code || 'no answer',
        mend: check.mend,
      });
    }
  }
  if (mailTo !== undefined)
    results.push({ name: 'Test mail', ok: true, detail: await testMail(config, mailTo) });
  if (json) process.stdout.write(`${JSON.stringify({ checks: results })}\n`);
  else {
    for (const { name, ok, detail, mend } of results) {
      process.stdout.write(
        `  ${ok ? '✓' : '✗'} ${name.padEnd(11)} ${detail}\n${mend ? `      ${mend}\n` : ''}`,
      );
    }
  }
  return results.every((result) => result.ok) ? 0 : 4;
}

function inTime<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer within 10 s')), 10_000);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Sends a mail as a campaign would; what DKIM-Signature its receiver shows over `h=` tells whether launches are safe. */
async function testMail(config: Config, mailTo: string): Promise<string> {
  const address = parseAddress(mailTo);
  if (!address)
    throw new KairosError(
      'ADDRESS_INVALID',
      '--mail-to is no plain address of the form you@example.com.',
    );
  const to = formatAddress(address);
  const db = connectPostgres(config.database.url.reveal(), 'doctor', 1);
  const shop = await readShop(db);
  await db.end();
  const transporter = nodemailer.createTransport(config.smtp.url.reveal());
  const from = { name: shop.name, address: `doctor@${new URL(shop.url).hostname}` };
  const info = await transporter.sendMail({
    from,
    to: { name: '', address: to },
    envelope: { from: from.address, to },
    subject: 'Kairos: test mail',
    headers: {
      'List-Unsubscribe': `<${config.publicUrl}/u/test>`,
      'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
    },
    text: 'Look at the source of this mail: its DKIM-Signature must name list-unsubscribe and list-unsubscribe-post in h=.',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  transporter.close();
  return `the relay said: ${info.response}; look at its DKIM-Signature: h= must name list-unsubscribe and list-unsubscribe-post`;
}
