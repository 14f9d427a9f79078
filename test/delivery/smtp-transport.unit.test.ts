import { afterEach, describe, expect, it } from 'vitest';
import { NodemailerTransport } from '../../delivery/smtp/nodemailer-transport.ts';
import { PipelinedTransport } from '../../delivery/smtp/pipelined-transport.ts';
import type { MailTransport, OutboundMail, SmtpOptions } from '../../delivery/smtp/transport.ts';
import {
  type Script,
  type Sink,
  smtpRefusal,
  startScriptedSink,
  startSmtpServer,
} from '../support/sink.ts';

const body = (text: string): Buffer => Buffer.from(`Subject: test\r\n\r\n${text}\r\n`);
const mail = (to: string, text = to): OutboundMail => ({
  from: 'shop@example.test',
  to: `${to}@example.test`,
  data: body(text),
});

const byText = (a = '', b = ''): number => (a < b ? -1 : 1);
const open: { close(options?: { force?: boolean }): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close({ force: true });
});
function keep<T extends { close(): Promise<void> }>(thing: T): T {
  open.push(thing);
  return thing;
}

interface Subject {
  readonly name: string;
  readonly make: (options: SmtpOptions) => MailTransport;
}
const SUBJECTS: Subject[] = [
  { name: 'pipelined', make: (options) => new PipelinedTransport(options) },
  {
    name: 'pipelined, one command at a time',
    make: (options) => new PipelinedTransport({ ...options, pipelining: false }),
  },
  { name: 'nodemailer', make: (options) => new NodemailerTransport(options) },
];

/** Every way to send keeps the same promises; this suite runs on each of them. */
describe.each(SUBJECTS)('$name', ({ make }) => {
  const to = (sink: Sink, options: Partial<SmtpOptions> = {}): MailTransport =>
    keep(make({ host: '127.0.0.1', port: sink.port, security: 'plain', sessions: 2, ...options }));
  const scripted = async (script: Script) => keep(await startScriptedSink(script));

  it('sends many messages over few sessions, each once, with its own content', async () => {
    const sink = keep(await startSmtpServer());
    const transport = to(sink, { sessions: 3 });
    const people = Array.from({ length: 200 }, (_, at) => `person${at}`);
    const results = await Promise.all(people.map((person) => transport.deliver(mail(person))));
    expect(results.every((result) => result.outcome === 'sent' && result.code === 250)).toBe(true);
    expect(sink.mails.map((taken) => taken.to[0]).toSorted(byText)).toEqual(
      people.map((person) => `${person}@example.test`).toSorted(byText),
    );
    for (const taken of sink.mails) {
      expect(taken.data).toBe(`Subject: test\r\n\r\n${taken.to[0]!.split('@')[0]}\r\n`);
    }
    expect(transport.pendingCount()).toBe(0);
  });

  it.each([
    ['mail', 421, 'deferred'],
    ['mail', 450, 'deferred'],
    ['mail', 550, 'refused'],
    ['rcpt', 421, 'deferred'],
    ['rcpt', 450, 'deferred'],
    ['rcpt', 550, 'refused'],
    ['content', 421, 'deferred'],
    ['content', 450, 'deferred'],
    ['content', 550, 'refused'],
  ] as const)(
    'a reply at %s of %i to one message is %s, and the others are sent',
    async (stage, code, outcome) => {
      const bad = (address: string): Error | null =>
        address.startsWith('bad') ? smtpRefusal(code, '4.7.1 not this one') : null;
      const sink = keep(
        await startSmtpServer(
          {
            onMailFrom: ({ address }, _, done) => done(stage === 'mail' ? bad(address) : null),
            onRcptTo: ({ address }, _, done) => done(stage === 'rcpt' ? bad(address) : null),
          },
          (taken) => (stage === 'content' ? bad(taken.to[0]!) : null),
        ),
      );
      const transport = to(sink, { sessions: 1 });
      const bads: OutboundMail = { ...mail('bad'), from: 'bad@example.test' };
      const results = await Promise.all(
        [bads, mail('a'), mail('b'), bads, mail('c')].map((each) => transport.deliver(each)),
      );
      // A 421 that follows good messages on a connection is the server's rotation: the message is tried anew.
      expect(results.map((result) => result.outcome)).toEqual([
        outcome,
        'sent',
        'sent',
        outcome,
        'sent',
      ]);
      expect(results[0]).toMatchObject({ code, stage });
      expect(results[0]!.reply).toContain('not this one');
      expect(sink.mails.map((taken) => taken.to[0]).toSorted(byText)).toEqual(
        ['a', 'b', 'c'].map((name) => `${name}@example.test`),
      );
    },
  );

  it.each([
    [450, 'deferred'],
    [503, 'deferred'],
    [554, 'refused'],
  ] as const)('a refusal of DATA with %i is %s, and the session goes on', async (code, outcome) => {
    const sink = await scripted({
      act: (stage, _, count) =>
        stage === 'data' && count === 2 ? { reply: `${code} 5.6.0 no content now` } : undefined,
    });
    const transport = to(sink, { sessions: 1 });
    const results = await Promise.all(['a', 'b', 'c'].map((name) => transport.deliver(mail(name))));
    expect(results.map((result) => result.outcome)).toEqual(['sent', outcome, 'sent']);
    expect(results[1]).toMatchObject({ stage: 'data', code, enhanced: '5.6.0' });
    expect(sink.mails.map((taken) => taken.to[0])).toEqual(['a@example.test', 'c@example.test']);
    expect(sink.connections()).toBe(1);
  });

  it.each(['greeting', 'ehlo', 'mail', 'rcpt', 'data'] as const)(
    'a server that hangs up at %s has nothing: deferred after a few tries, or sent by another connection',
    async (where) => {
      const down = await scripted({
        act: (stage) => (stage === where ? { hangUp: true } : undefined),
      });
      const result = await to(down).deliver(mail('a'));
      expect(result).toMatchObject({ outcome: 'deferred', code: 0 });
      expect(down.mails).toEqual([]);
      expect(down.connections()).toBeGreaterThan(1);
      const once = await scripted({
        act: (stage, _, count) => (stage === where && count === 1 ? { hangUp: true } : undefined),
      });
      expect(await to(once).deliver(mail('a'))).toMatchObject({ outcome: 'sent' });
      expect(once.mails.length).toBe(1);
    },
  );

  it('a server that hangs up after the final dot may have the message: lost, and never sent again', async () => {
    const sink = await scripted({
      act: (stage, _, count) => (stage === 'content' && count === 2 ? { hangUp: true } : undefined),
    });
    const transport = to(sink, { sessions: 1 });
    const results = await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) => transport.deliver(mail(name))),
    );
    expect(results.map((result) => result.outcome)).toEqual(['sent', 'lost', 'sent', 'sent']);
    expect(results[1]).toMatchObject({ stage: 'content', code: 0, enhanced: null });
    const taken = sink.mails.map((each) => each.to[0]);
    expect(taken.length).toBe(new Set(taken).size);
  });

  it('a server that says nothing in time: deferred before the dot, lost behind it', async () => {
    const timeouts = { command: 60, content: 60, greeting: 60, connect: 60 };
    for (const [where, outcome] of [
      ['rcpt', 'deferred'],
      ['content', 'lost'],
    ] as const) {
      const sink = await scripted({
        act: (stage) => (stage === where ? { delayMs: 1_000 } : undefined),
      });
      const result = await to(sink, { timeouts }).deliver(mail('a'));
      expect(result).toMatchObject({ outcome, code: 0 });
    }
  });

  it('a slow server is waited for', async () => {
    const sink = await scripted({ act: () => ({ delayMs: 15 }) });
    const transport = to(sink);
    const results = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((name) => transport.deliver(mail(name))),
    );
    expect(results.every((result) => result.outcome === 'sent')).toBe(true);
  });

  it('a server that cannot be reached: deferred after a few tries', async () => {
    const sink = await scripted({});
    await sink.close();
    const transport = to(sink);
    const results = await Promise.all(['a', 'b', 'c'].map((name) => transport.deliver(mail(name))));
    for (const result of results) expect(result).toMatchObject({ outcome: 'deferred', code: 0 });
    await expect(transport.verify()).rejects.toMatchObject({ code: 'RELAY_DOWN' });
  });

  it('garbage instead of a reply ends the connection: lost behind the dot, else deferred', async () => {
    for (const [where, outcome] of [
      ['greeting', 'deferred'],
      ['mail', 'deferred'],
      ['content', 'lost'],
    ] as const) {
      const sink = await scripted({
        act: (stage) => (stage === where ? { reply: '<html>no mail here</html>' } : undefined),
      });
      expect(await to(sink).deliver(mail('a'))).toMatchObject({ outcome });
      expect(sink.mails).toEqual([]);
    }
  });

  it('long replies of many lines are read whole, and cut to one line', async () => {
    const lines = Array.from(
      { length: 60 },
      (_, at) => `550-5.1.1 reason ${at} ${'x'.repeat(200)}`,
    );
    const sink = await scripted({
      act: (stage) =>
        stage === 'rcpt' ? { reply: [...lines, '550 5.1.1 end'].join('\r\n') } : undefined,
    });
    const result = await to(sink).deliver(mail('a'));
    expect(result).toMatchObject({ outcome: 'refused', stage: 'rcpt', enhanced: '5.1.1' });
    expect(result.reply.length).toBeLessThan(500);
    expect(/\p{Cc}/u.test(result.reply)).toBe(false);
  });

  it('a server without extensions is spoken to plainly', async () => {
    const sink = keep(
      await startSmtpServer({
        hidePIPELINING: true,
        hide8BITMIME: true,
        hideENHANCEDSTATUSCODES: true,
      }),
    );
    const transport = to(sink);
    const results = await Promise.all(['a', 'b', 'c'].map((name) => transport.deliver(mail(name))));
    expect(results.map((result) => result.outcome)).toEqual(['sent', 'sent', 'sent']);
  });

  it('content that looks like commands and ends stays content', async () => {
    const sink = keep(await startSmtpServer());
    const transport = to(sink, { sessions: 1 });
    const nasty = [
      '.\r\nMAIL FROM:<evil@example.test>',
      'x\n.\nMAIL FROM:<evil@example.test>\nRCPT TO:<victim@example.test>\nDATA\n',
      'x\r.\rQUIT\r',
      'x\r\n.\n',
      '..\r\n...\r\n.',
      '',
    ];
    const results = await Promise.all(
      nasty.map((text, at) => transport.deliver(mail(`n${at}`, text))),
    );
    expect(results.every((result) => result.outcome === 'sent')).toBe(true);
    expect(sink.mails.length).toBe(nasty.length);
    sink.mails.forEach((taken, at) => {
      const lines = body(nasty[at]!)
        .toString()
        .replace(/\r\n|\r|\n/g, '\r\n');
      expect(taken.data).toBe(lines);
      expect(taken.from).toBe('shop@example.test');
    });
  });

  it('an envelope that is not in normal form never reaches the wire', async () => {
    const sink = await scripted({});
    const transport = to(sink);
    for (const address of [
      'a@example.test>\r\nRCPT TO:<b@example.test',
      'a b@example.test',
      'a@Example.test',
      '"a"@example.test',
      'a@[127.0.0.1]',
      '',
    ]) {
      const refused = { code: 'ADDRESS_INVALID' };
      await expect(transport.deliver({ ...mail('x'), to: address })).rejects.toMatchObject(refused);
      await expect(transport.deliver({ ...mail('x'), from: address })).rejects.toMatchObject(
        refused,
      );
    }
    expect(sink.commands).toEqual([]);
    expect(transport.pendingCount()).toBe(0);
  });

  it('a body is built when it is its turn; one that cannot be built rejects, the others are sent', async () => {
    const sink = await scripted({
      act: (stage) => (stage === 'content' ? { delayMs: 20 } : undefined),
    });
    const transport = to(sink, { sessions: 1 });
    let built = 0;
    const lazy = (name: string) =>
      transport.deliver({
        ...mail(name),
        data: () => {
          built += 1;
          if (name === 'bad') throw new Error('cannot render');
          return body(name);
        },
      });
    const all = Promise.allSettled(['a', 'bad', 'b', 'c', 'd'].map(lazy));
    await new Promise((resolve) => setTimeout(resolve, 15));
    expect(built).toBeLessThan(5);
    expect((await all).map((each) => each.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    expect(sink.mails.map((taken) => taken.to[0])).toEqual(
      ['a', 'b', 'c', 'd'].map((name) => `${name}@example.test`),
    );
  });

  it('aborting takes back what was not written, and nothing else', async () => {
    const sink = await scripted({
      act: (stage) => (stage === 'content' ? { delayMs: 60 } : undefined),
    });
    const transport = to(sink, { sessions: 1 });
    const abort = new AbortController();
    const all = Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        transport.deliver({ ...mail(name), signal: abort.signal }),
      ),
    );
    while (!sink.commands.includes('DATA')) await new Promise((resolve) => setTimeout(resolve, 2));
    await new Promise((resolve) => setTimeout(resolve, 15));
    abort.abort();
    const results = await all;
    expect(results.map((result) => result.outcome)).toEqual([
      'sent',
      'deferred',
      'deferred',
      'deferred',
    ]);
    expect(sink.mails.length).toBe(1);
    expect(await transport.deliver({ ...mail('e'), signal: abort.signal })).toMatchObject({
      outcome: 'deferred',
      stage: 'queue',
    });
  });

  it('closing waits for what is pending; by force it settles at once, by how far each got', async () => {
    const polite = await scripted({});
    const first = to(polite);
    const pending = ['a', 'b', 'c'].map((name) => first.deliver(mail(name)));
    await first.close();
    expect((await Promise.all(pending)).map((result) => result.outcome)).toEqual([
      'sent',
      'sent',
      'sent',
    ]);
    await expect(first.deliver(mail('d'))).rejects.toMatchObject({ code: 'STATE_CONFLICT' });

    const stuck = await scripted({
      act: (stage) => (stage === 'content' ? { delayMs: 60_000 } : undefined),
    });
    const second = to(stuck, { sessions: 1 });
    const all = Promise.all(['a', 'b', 'c'].map((name) => second.deliver(mail(name))));
    while (!stuck.commands.includes('DATA')) await new Promise((resolve) => setTimeout(resolve, 2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await second.close({ force: true });
    expect((await all).map((result) => result.outcome)).toEqual(['lost', 'deferred', 'deferred']);
  });

  it('replaces a connection after its share of messages, and after the server rotates it', async () => {
    const sink = await scripted({
      act: (stage, _, count) =>
        stage === 'mail' && count === 6 ? { reply: '421 4.3.2 enough', hangUp: true } : undefined,
    });
    const transport = to(sink, { sessions: 1, messagesPerSession: 4 });
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, at) => transport.deliver(mail(`p${at}`))),
    );
    expect(results.every((result) => result.outcome === 'sent')).toBe(true);
    expect(new Set(sink.mails.map((taken) => taken.to[0])).size).toBe(12);
    expect(sink.mails.length).toBe(12);
    expect(sink.connections()).toBeGreaterThanOrEqual(4);
  });

  it('a server that is slow to say goodbye holds nothing up', async () => {
    const sink = await scripted({
      act: (stage) => (stage === 'quit' ? { delayMs: 60_000 } : undefined),
    });
    const transport = to(sink, { sessions: 1, messagesPerSession: 2 });
    const begun = performance.now();
    const results = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((name) => transport.deliver(mail(name))),
    );
    expect(results.every((result) => result.outcome === 'sent')).toBe(true);
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect(sink.connections()).toBe(3);
  });

  it('bounds what may wait', async () => {
    const sink = await scripted({
      act: (stage) => (stage === 'greeting' ? { delayMs: 50 } : undefined),
    });
    const transport = to(sink, { pendingMax: 2 });
    const two = [transport.deliver(mail('a')), transport.deliver(mail('b'))];
    await expect(transport.deliver(mail('c'))).rejects.toMatchObject({ code: 'TRANSPORT_FULL' });
    expect((await Promise.all(two)).map((result) => result.outcome)).toEqual(['sent', 'sent']);
  });

  it('ends an idle connection politely, and opens one again when it is needed', async () => {
    const sink = await scripted({});
    const transport = to(sink, { timeouts: { idle: 30 } });
    expect(await transport.deliver(mail('a'))).toMatchObject({ outcome: 'sent' });
    await new Promise((resolve) => setTimeout(resolve, 90));
    expect(sink.commands.at(-1)).toBe('QUIT');
    expect(await transport.deliver(mail('b'))).toMatchObject({ outcome: 'sent' });
    expect(sink.connections()).toBe(2);
  });
});
