import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import nodemailer from 'nodemailer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('../../bin/inbox.ts', import.meta.url));

let directory: string;
const children: ChildProcessWithoutNullStreams[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kairos-inbox-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

interface Ready {
  ready: boolean;
  name: string;
  smtpPort: number;
  webPort: number;
  mails: number;
}

async function start(): Promise<{ child: ChildProcessWithoutNullStreams; ready: Ready }> {
  const child = spawn(process.execPath, [PROGRAM], {
    env: {
      ...process.env,
      KAIROS_DATA_DIR: directory,
      KAIROS_INBOX_DIR: join(directory, 'mails'),
      KAIROS_INBOX_SMTP_PORT: '0',
      KAIROS_INBOX_WEB_PORT: '0',
      KAIROS_SUPERVISED: '1',
    },
  });
  children.push(child);
  let out = '';
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    out += chunk.toString();
    const line = /^(\{.*\})\n/.exec(out)?.[1];
    if (line) return { child, ready: JSON.parse(line) as Ready };
  }
  throw new Error(`the inbox did not start: ${errors}`);
}

const pool = (port: number) =>
  nodemailer.createTransport({ host: '127.0.0.1', port, pool: true, maxConnections: 4 });
const mail = (n: number) => ({
  from: 'news@shop.example.test',
  to: `p${n}@mail.example.org`,
  subject: `mail ${n}`,
  text: 'x'.repeat(3_000),
});

describe('the dev inbox as a process', () => {
  it('says when it is ready, and ends in order on SIGTERM', async () => {
    const { child, ready } = await start();
    expect(ready).toMatchObject({ ready: true, name: 'inbox', mails: 0 });
    expect((await fetch(`http://127.0.0.1:${ready.webPort}/health`)).status).toBe(200);
    // An idle connection must not hold it up.
    const transport = pool(ready.smtpPort);
    await transport.sendMail(mail(1));
    const startedAt = performance.now();
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    transport.close();
    expect(code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(9_000);
  });

  it('ends when its supervisor is gone, and has its mails again after the next start', async () => {
    const first = await start();
    const transport = pool(first.ready.smtpPort);
    for (let n = 0; n < 3; n += 1) await transport.sendMail(mail(n));
    transport.close();
    first.child.stdin.end();
    expect((await once(first.child, 'exit'))[0]).toBe(0);
    const second = await start();
    expect(second.ready.mails).toBe(3);
  });

  it('has every mail that it acknowledged after it was killed in the middle of a burst', async () => {
    const { child, ready } = await start();
    const transport = pool(ready.smtpPort);
    const acknowledged: string[] = [];
    let stopped = false;
    const send = async (n: number): Promise<void> => {
      try {
        await transport.sendMail(mail(n));
        acknowledged.push(`mail ${n}`);
      } catch {
        stopped = true;
      }
    };
    let next = 0;
    const sender = async (): Promise<void> => {
      while (!stopped) await send(next++);
    };
    const senders = Promise.all([sender(), sender(), sender(), sender()]);
    while (acknowledged.length < 150) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill('SIGKILL');
    await senders;
    transport.close();
    const again = await start();
    const answer = await fetch(`http://127.0.0.1:${again.ready.webPort}/api/mails?limit=500`);
    const { mails } = (await answer.json()) as { mails: { subject: string }[] };
    const kept = new Set(mails.map(({ subject }) => subject));
    expect(acknowledged.filter((subject) => !kept.has(subject))).toEqual([]);
    expect(kept.size).toBe(mails.length);
  });

  it('exits with a code other than 0 where its port is taken', async () => {
    const { ready } = await start();
    const child = spawn(process.execPath, [PROGRAM], {
      env: {
        ...process.env,
        KAIROS_DATA_DIR: directory,
        KAIROS_INBOX_SMTP_PORT: String(ready.smtpPort),
        KAIROS_INBOX_WEB_PORT: '0',
      },
    });
    children.push(child);
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    expect((await once(child, 'exit'))[0]).toBe(1);
    expect(errors).toMatch(/EADDRINUSE/);
  });
});
