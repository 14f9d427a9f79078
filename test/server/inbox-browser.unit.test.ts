import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nodemailer from 'nodemailer';
import { chromium } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { startInbox } from '../../server/inbox/inbox.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
];

describe('the dev inbox in a browser', () => {
  it.skipIf(!CHROMIUM)(
    'lets a hostile mail run nothing, fetch nothing and send nothing',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'kairos-inbox-'));
      const inbox = await startInbox({ directory, smtpPort: 0, webPort: 0 });
      const asked: string[] = [];
      const foreign = createServer((request, answer) => {
        asked.push(`${request.headers.host} ${request.url}`);
        answer.end('foreign');
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => foreign.once('listening', resolve));
      const away = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`;
      const browser = await chromium.launch({ executablePath: CHROMIUM!, args: ARGS });
      try {
        const transport = nodemailer.createTransport({ host: '127.0.0.1', port: inbox.smtpPort });
        await transport.sendMail({
          from: 'a@shop.example.test',
          to: 'b@mail.example.org',
          subject: '</title><script>document.title="owned"</script>',
          html: `<html><head><meta http-equiv="refresh" content="0;url=${away}/refresh"><base href="${away}/">
            <link rel="stylesheet" href="${away}/css"><style>body { background: url(${away}/bg) }</style></head>
            <body onload="parent.document.title='owned'"><script>fetch('${away}/script')</script>
            <img src="${away}/img"><img src="x" onerror="fetch('${away}/onerror')"><iframe src="${away}/frame"></iframe>
            <form action="${away}/form"><button id="go">Go</button></form><a id="out" href="${away}/link">link</a>
            <p>readable</p></body></html>`,
        });
        const page = await browser.newPage();
        const problems: string[] = [];
        page.on('pageerror', (error) => problems.push(error.message));
        await page.goto(`http://127.0.0.1:${inbox.webPort}/mail/1`);
        const frame = page.frameLocator('iframe');
        await frame.getByText('readable').waitFor();
        await frame.locator('#go').click();
        await page.waitForTimeout(300);
        expect(await page.title()).toBe(
          '</title><script>document.title="owned"</script> · Dev inbox',
        );
        expect(asked).toEqual([]);
        expect(problems).toEqual([]);
        // A person who clicks a link does follow it, in a tab of its own.
        const [popup] = await Promise.all([
          page.waitForEvent('popup'),
          frame.locator('#out').click(),
        ]);
        await popup.waitForLoadState();
        expect(asked.filter((line) => !line.endsWith('/favicon.ico'))).toEqual([
          `${away.slice(7)} /link`,
        ]);
        expect(page.url()).toBe(`http://127.0.0.1:${inbox.webPort}/mail/1`);

        // Another site's page may neither read nor frame the inbox.
        const evil = await browser.newPage();
        await evil.goto(`${away.replace('127.0.0.1', 'localhost')}/`);
        const read = await evil.evaluate(
          (url) =>
            fetch(url).then(
              (r) => r.text(),
              () => 'refused',
            ),
          `http://127.0.0.1:${inbox.webPort}/api/mails`,
        );
        expect(read).toBe('refused');
      } finally {
        await browser.close();
        foreign.close();
        await inbox.stop();
        await rm(directory, { recursive: true });
      }
    },
    60_000,
  );
});
