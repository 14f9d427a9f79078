import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nodemailer from 'nodemailer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Inbox, startInbox } from '../../server/inbox/inbox.ts';

let directory: string;
let inbox: Inbox;
let base: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kairos-inbox-'));
  inbox = await startInbox({ directory, smtpPort: 0, webPort: 0 });
  base = `http://127.0.0.1:${inbox.webPort}`;
});
afterAll(async () => {
  await inbox.stop();
  await rm(directory, { recursive: true });
});

const transport = () => nodemailer.createTransport({ host: '127.0.0.1', port: inbox.smtpPort });
const send = (options: object): Promise<{ response: string }> =>
  transport().sendMail({
    from: 'news@shop.example.test',
    to: 'ada@mail.example.org',
    text: 'Hello',
    ...options,
  });
const json = async <T>(path: string): Promise<T> => {
  const answer = await fetch(base + path);
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
};
const newest = async (): Promise<number> =>
  (await json<{ last: number }>('/api/mails?limit=0')).last;
const page = async (path: string): Promise<string> => (await fetch(base + path)).text();

/** Talks SMTP by hand; resolves with all that the server said when it (or we) hung up. */
async function dialogue(lines: string): Promise<string> {
  const socket = connect(inbox.smtpPort, '127.0.0.1');
  let said = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (said += chunk));
  socket.on('error', () => {});
  await once(socket, 'data');
  socket.write(lines);
  await once(socket, 'close');
  return said;
}

describe('the dev inbox over SMTP', () => {
  it('keeps a mail of nodemailer with its envelope, subject and id, and says under which number', async () => {
    const { response } = await send({
      subject: 'Grüße an Jörg',
      envelope: {
        from: 'bounce@shop.example.test',
        to: ['joerg@mail.example.org', 'b@web.example.com'],
      },
      messageId: '<one@shop.example.test>',
    });
    expect(response).toMatch(/^250 2\.\d\.\d Kept as \d+$/);
    const mail = await json<Record<string, unknown>>(`/api/mails/${await newest()}`);
    expect(mail).toMatchObject({
      subject: 'Grüße an Jörg',
      from: 'bounce@shop.example.test',
      to: ['joerg@mail.example.org', 'b@web.example.com'],
      messageId: '<one@shop.example.test>',
    });
    expect(mail['raw']).toMatch(/^From: news@shop\.example\.test\r\n/);
    expect(String(mail['text']).trim()).toBe('Hello');
  });

  it('offers PIPELINING, SIZE and 8BITMIME, and no authentication', async () => {
    const said = await dialogue('EHLO test\r\nQUIT\r\n');
    expect(said).toMatch(/250[- ]PIPELINING/);
    expect(said).toMatch(/250[- ]8BITMIME/);
    expect(said).toMatch(/250[- ]SIZE 26214400/);
    expect(said).not.toMatch(/AUTH|STARTTLS/);
  });

  it('takes several mails of one connection in one write', async () => {
    const before = await newest();
    const one = (n: number): string =>
      `MAIL FROM:<a@shop.example.test>\r\nRCPT TO:<p${n}@mail.example.org>\r\nDATA\r\n`;
    // Pipelined up to DATA, as RFC 2920 has it, each body after its 354.
    const socket = connect(inbox.smtpPort, '127.0.0.1').setEncoding('latin1');
    let said = '';
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(said)) await once(socket, 'data');
      said = '';
    };
    socket.on('data', (chunk: string) => (said += chunk));
    await until(/^220/);
    socket.write('EHLO test\r\n');
    await until(/^250 /m);
    for (let n = 0; n < 3; n += 1) {
      socket.write(one(n));
      await until(/^354/m);
      socket.write(`Subject: pipelined ${n}\r\n\r\n..dots\r\n.\r\n`);
      await until(/^250.*Kept/m);
    }
    socket.end('QUIT\r\n');
    await once(socket, 'close');
    const { mails } = await json<{ mails: { subject: string; to: string[] }[] }>(
      `/api/mails?after=${before}`,
    );
    expect(mails.map(({ subject, to }) => [subject, to[0]])).toEqual([
      ['pipelined 0', 'p0@mail.example.org'],
      ['pipelined 1', 'p1@mail.example.org'],
      ['pipelined 2', 'p2@mail.example.org'],
    ]);
    const { raw } = await json<{ raw: string }>(`/api/mails/${before + 1}`);
    expect(raw).toBe('Subject: pipelined 0\r\n\r\n.dots\r\n');
  });

  it('refuses a mailbox that is gone, and keeps nothing of it', async () => {
    const before = await newest();
    await expect(send({ to: 'ada@gone.example.test' })).rejects.toMatchObject({
      responseCode: 550,
    });
    await expect(send({ to: 'ada@GONE.example.test' })).rejects.toThrow('550 5.1.1');
    expect(await newest()).toBe(before);
  });

  it('refuses what is too large, and goes on', async () => {
    const before = await newest();
    // Once announced by SIZE, and once by a client that says nothing of it.
    const raw = Buffer.alloc(26 * 2 ** 20, 'Subject: large\r\n');
    const envelope = { from: 'a@shop.example.test', to: ['b@mail.example.org'] };
    await expect(transport().sendMail({ envelope, raw })).rejects.toMatchObject({
      responseCode: 552,
    });
    const said = await dialogue(
      `HELO x\r\nMAIL FROM:<a@shop.example.test>\r\nRCPT TO:<b@mail.example.org>\r\nDATA\r\n${raw.toString('latin1')}\r\n.\r\nQUIT\r\n`,
    );
    expect(said).toMatch(/^552/m);
    expect(await newest()).toBe(before);
    await send({ subject: 'after it' });
    expect(await newest()).toBe(before + 1);
  });

  it('hangs up on a browser that was made to talk to it', async () => {
    const before = await newest();
    const said = await dialogue(
      'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nEHLO x\r\nMAIL FROM:<a@shop.example.test>\r\n' +
        'RCPT TO:<b@mail.example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\nQUIT\r\n',
    );
    expect(said).toMatch(/421/);
    expect(said).not.toMatch(/354/);
    expect(await newest()).toBe(before);
  });

  it('keeps nothing of a client that leaves in the middle of a mail', async () => {
    const before = await newest();
    const socket = connect(inbox.smtpPort, '127.0.0.1');
    await once(socket, 'data');
    socket.write(
      'EHLO x\r\nMAIL FROM:<a@shop.example.test>\r\nRCPT TO:<b@mail.example.org>\r\nDATA\r\n',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.write('Subject: half\r\n\r\nhalf a ma');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await send({ subject: 'whole' });
    const { mails } = await json<{ mails: { subject: string }[] }>(`/api/mails?after=${before}`);
    expect(mails.map((mail) => mail.subject)).toEqual(['whole']);
  });
});

describe('the dev inbox’s API', () => {
  it('lists mails behind a number, with their links where they are wanted', async () => {
    const before = await newest();
    await send({ subject: 'A', html: '<a href="http://127.0.0.1:1/c/x/0">Go</a>' });
    await send({ subject: 'B' });
    const heads = await json<{ mails: object[]; last: number }>(
      `/api/mails?after=${before}&limit=1`,
    );
    expect(heads.mails).toEqual([
      {
        seq: before + 1,
        receivedAtMs: expect.any(Number) as number,
        from: 'news@shop.example.test',
        to: ['ada@mail.example.org'],
        subject: 'A',
        messageId: expect.stringMatching(/^<.+>$/) as string,
        bytes: expect.any(Number) as number,
      },
    ]);
    expect(heads.last).toBe(before + 2);
    const full = await json<{ mails: Record<string, unknown>[] }>(
      `/api/mails?after=${before}&parts=1`,
    );
    expect(full.mails).toHaveLength(2);
    expect(full.mails[0]).toMatchObject({
      subject: 'A',
      links: [{ href: 'http://127.0.0.1:1/c/x/0', text: 'Go' }],
      images: [],
      unsubscribe: { url: null, mailto: null, oneClick: false },
    });
  });

  it('answers a wrong question with an error', async () => {
    expect((await fetch(`${base}/api/mails?after=x`)).status).toBe(422);
    expect((await fetch(`${base}/api/mails?limit=-1`)).status).toBe(422);
    expect((await fetch(`${base}/api/mails/999999`)).status).toBe(404);
    expect((await fetch(`${base}/api/mails/../../etc`)).status).toBe(404);
  });
});

describe('the dev inbox’s page', () => {
  const ROUTES = [
    '/',
    '/mail/1',
    '/mail/1/html',
    '/mail/1/raw',
    '/api/mails',
    '/api/mails/1',
    '/health',
    '/style.css',
    '/nowhere',
  ];

  it.each(ROUTES)('%s is only for loopback names, its own origin and GET', async (path) => {
    const { request } = await import('node:http');
    const status = (headers: Record<string, string>, method = 'GET'): Promise<number> =>
      new Promise((resolve, reject) => {
        request(base + path, { method, headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode!);
        })
          .on('error', reject)
          .end();
      });
    const own = `127.0.0.1:${inbox.webPort}`;
    expect(await status({ host: 'evil.example.com' })).toBe(421);
    expect(await status({ host: `evil.example.com:${inbox.webPort}` })).toBe(421);
    expect(await status({ host: '127.0.0.1.evil.example.com' })).toBe(421);
    expect(await status({ origin: 'http://evil.example.com' })).toBe(403);
    expect(await status({ origin: 'null' })).toBe(403);
    expect(await status({ origin: 'http://127.0.0.1:1' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'image' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'iframe' })).toBe(403);
    expect(await status({}, 'POST')).toBe(405);
    expect(await status({}, 'DELETE')).toBe(405);
    const fine = path === '/nowhere' ? 404 : path === '/mail/1/html' ? [200, 404] : 200;
    expect([fine].flat()).toContain(await status({ host: own, origin: `http://${own}` }));
    expect([fine].flat()).toContain(await status({ host: `localhost:${inbox.webPort}` }));
    expect([fine].flat()).toContain(
      await status({ 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }),
    );
  });

  it('escapes everything of a mail in the list and in the mail’s own page', async () => {
    await send({
      from: { name: '"><script>alert(1)</script>', address: 'a@shop.example.test' },
      subject: '<img src=x onerror=alert(2)>" onload="alert(3)',
      text: '<script>alert(4)</script>',
      html: '<p>x</p><a href="javascript:alert(5)">j</a><a href="http://127.0.0.1:1/&quot;><script>alert(6)">h</a>',
      headers: { 'X-Evil': '<script>alert(7)</script>' },
    });
    const seq = await newest();
    for (const path of ['/', `/mail/${seq}`, '/?q=%22%3E%3Cscript%3Ealert(8)'].concat(
      ['text', 'headers', 'links', 'source'].map((view) => `/mail/${seq}?view=${view}`),
    )) {
      const text = await page(path);
      expect(text).not.toMatch(/<script>|<script[^>]*alert|<img/i);
      expect(text).not.toMatch(/href="javascript:/i);
      expect(text).not.toMatch(/" onload="/);
      expect(text.match(/<script\b[^>]*>/g)).toEqual(['<script src="/script.js" defer>']);
    }
    expect(await page('/')).toContain('&lt;img src=x onerror=alert(2)&gt;');
  });

  it('shows the HTML in a frame that may run nothing and fetch nothing', async () => {
    await send({
      html: '<html><head><title>t</title></head><body><script>1</script><img src="http://127.0.0.1:1/o"></body></html>',
    });
    const seq = await newest();
    const frame = /<iframe[^>]*>/.exec(await page(`/mail/${seq}`))![0];
    expect(frame).toMatch(/sandbox="allow-popups allow-popups-to-escape-sandbox"/);
    expect(frame).not.toMatch(/allow-scripts|allow-same-origin|allow-forms|allow-top/);
    const answer = await fetch(`${base}/mail/${seq}/html`);
    const policy = answer.headers.get('content-security-policy')!;
    for (const rule of [
      "default-src 'none'",
      'img-src data:',
      "style-src 'unsafe-inline'",
      "form-action 'none'",
    ]) {
      expect(policy.split('; ')).toContain(rule);
    }
    expect(policy).toMatch(/(?:^|; )sandbox (?!.*allow-(?:scripts|same-origin|forms|top))/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await answer.text()).toContain('<head><base target="_blank">');
  });

  it('gives the raw mail as a download, byte for byte', async () => {
    const body = 'Subject: bytes\r\n\r\n\u00ff\u0000caf\u00e9\r\n';
    await transport().sendMail({
      envelope: { from: 'a@shop.example.test', to: ['b@mail.example.org'] },
      raw: Buffer.from(body, 'latin1'),
    });
    const answer = await fetch(`${base}/mail/${await newest()}/raw`);
    expect(answer.headers.get('content-type')).toBe('message/rfc822');
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(Buffer.from(await answer.arrayBuffer()).toString('latin1')).toBe(body);
  });

  it('searches, pages, and says so where there is nothing', async () => {
    const pool = nodemailer.createTransport({
      host: '127.0.0.1',
      port: inbox.smtpPort,
      pool: true,
    });
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        pool.sendMail({
          from: 'a@shop.example.test',
          to: 'b@mail.example.org',
          subject: `needle ${n}`,
        }),
      ),
    );
    pool.close();
    const first = await page('/?q=needle');
    expect(first.match(/<li>/g)).toHaveLength(50);
    const older = /href="([^"]*)" rel="next"/.exec(first)![1]!.replaceAll('&amp;', '&');
    expect((await page(older)).match(/<li>/g)).toHaveLength(10);
    expect(await page('/?q=nothing-like-this')).toContain('Nothing matches');
    expect((await fetch(`${base}/mail/999999`)).status).toBe(404);
  });
});
