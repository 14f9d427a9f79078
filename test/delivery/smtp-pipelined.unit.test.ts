import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { createTransport } from 'nodemailer';
import { afterEach, describe, expect, it } from 'vitest';
import { NodemailerTransport } from '../../delivery/smtp/nodemailer-transport.ts';
import { PipelinedTransport } from '../../delivery/smtp/pipelined-transport.ts';
import { type Reply, ReplyParser } from '../../delivery/smtp/reply.ts';
import type { OutboundMail, SmtpOptions } from '../../delivery/smtp/transport.ts';
import { isEightBit, markWireForm, toWireForm, unstuffed } from '../../delivery/smtp/wire.ts';
import { type Script, type Sink, startScriptedSink, startSmtpServer } from '../support/sink.ts';
import { TEST_TLS } from '../support/tls.ts';

const mail = (to: string, data = Buffer.from(`Subject: test\r\n\r\n${to}\r\n`)): OutboundMail => ({
  from: 'shop@example.test',
  to: `${to}@example.test`,
  data,
});
const open: { close(options?: { force?: boolean }): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close({ force: true });
});
function keep<T extends { close(): Promise<void> }>(thing: T): T {
  open.push(thing);
  return thing;
}
const plain = (port: number, more: Partial<SmtpOptions> = {}): SmtpOptions => ({
  host: '127.0.0.1',
  port,
  security: 'plain',
  sessions: 1,
  ...more,
});
const pipelined = (sink: { port: number }, more: Partial<SmtpOptions> = {}) =>
  keep(new PipelinedTransport(plain(sink.port, more)));
const scripted = async (script: Script) => keep(await startScriptedSink(script));

describe('pipelining', () => {
  it('sends an envelope in one write, behind the content of the message before', async () => {
    const chunks: string[] = [];
    const server = net.createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {});
      socket.write('220 hi\r\n');
      socket.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        chunks.push(text);
        if (text.startsWith('EHLO')) socket.write('250-hi\r\n250 PIPELINING\r\n');
        else if (text.endsWith('DATA\r\n')) {
          const ended = text.includes('\r\n.\r\n') ? '250 taken\r\n' : '';
          socket.write(`${ended}250 ok\r\n250 ok\r\n354 go on\r\n`);
        } else socket.write('250 taken\r\n');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = keep(new PipelinedTransport(plain((server.address() as AddressInfo).port)));
    const results = await Promise.all(['a', 'b', 'c'].map((name) => transport.deliver(mail(name))));
    server.close();
    expect(results.map((result) => result.outcome)).toEqual(['sent', 'sent', 'sent']);
    const envelope = (name: string): string =>
      `MAIL FROM:<shop@example.test>\r\nRCPT TO:<${name}@example.test>\r\nDATA\r\n`;
    const content = (name: string): string => `Subject: test\r\n\r\n${name}\r\n.\r\n`;
    expect(chunks).toEqual([
      'EHLO [127.0.0.1]\r\n',
      envelope('a'),
      content('a') + envelope('b'),
      content('b') + envelope('c'),
      content('c'),
    ]);
  });

  it('sends no content when DATA is taken although the recipient was refused, and goes on', async () => {
    const server = await answering([
      '250 ok\r\n550 5.1.1 nobody\r\n354 go on\r\n',
      '554 no valid recipients\r\n',
      '250 ok\r\n250 ok\r\n354 go on\r\n',
      '250 taken\r\n',
    ]);
    const transport = pipelined(server);
    const [refused, sent] = await Promise.all([
      transport.deliver(mail('a')),
      transport.deliver(mail('b')),
    ]);
    expect(refused).toMatchObject({ outcome: 'refused', stage: 'rcpt', code: 550 });
    expect(sent).toMatchObject({ outcome: 'sent' });
    expect(server.received[1]).toBe('.\r\n');
    expect(server.received.join('')).not.toContain('test\r\n\r\na');
  });

  it('trusts no server that takes DATA from a refused sender: the connection ends without a dot', async () => {
    const server = await answering(['550 no\r\n503 no\r\n354 go on\r\n', '']);
    const result = await pipelined(server).deliver(mail('a'));
    expect(result).toMatchObject({ outcome: 'refused', stage: 'mail', code: 550 });
    expect(server.received.length).toBe(1);
  });

  it.each([
    ['an unasked reply behind the greeting', '220 hi\r\n250 surprise\r\n', [], 'deferred'],
    ['a third reply to two commands', '220 hi\r\n', ['250 ok\r\n250 ok\r\n250 ok\r\n'], 'deferred'],
    ['354 to MAIL', '220 hi\r\n', ['354 ok\r\n250 ok\r\n354 ok\r\n'], 'deferred'],
    [
      'another reply behind the last',
      '220 hi\r\n',
      [ENVELOPE_OK(), '250 ok\r\n250 more\r\n'],
      'sent',
    ],
    ['354 to the final dot', '220 hi\r\n', [ENVELOPE_OK(), '354 ok\r\n'], 'lost'],
    ['a reply without end', '220 hi\r\n', ['250-ok\r\n'.repeat(200)], 'deferred'],
    ['a line without end', '220 hi\r\n', [`250 ${'x'.repeat(10_000)}`], 'deferred'],
    ['bare line feeds', '220 hi\r\n', ['250 ok\n250 ok\n354 ok\n'], 'deferred'],
    ['codes that differ', '220 hi\r\n', ['250-ok\r\n550 no\r\n250 ok\r\n'], 'deferred'],
  ])('%s', async (_, greeting, replies, outcome) => {
    const server = await answering(replies, greeting);
    const result = await pipelined(server).deliver(mail('a'));
    expect(result).toMatchObject({ outcome });
  });

  it('a server that trickles its reply is not waited for longer than one that is silent', async () => {
    const server = await answering([], '220 hi\r\n', (socket) => {
      socket.write('2');
      const timer = setInterval(() => socket.write('5'), 20);
      socket.once('close', () => clearInterval(timer));
    });
    const begun = performance.now();
    const result = await pipelined(server, { timeouts: { command: 100 } }).deliver(mail('a'));
    expect(result.outcome).toBe('deferred');
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it('a long content that breaks off before its dot is not lost', async () => {
    const data = Buffer.from(`Subject: test\r\n\r\n${'0123456789\r\n'.repeat(700_000)}`);
    let connections = 0;
    const server = await answering([ENVELOPE_OK()], '220 hi\r\n', undefined, (socket) => {
      connections += 1;
      socket.pause();
      setTimeout(() => socket.destroy(), 30);
    });
    const result = await pipelined(server).deliver(mail('a', data));
    expect(result.outcome).toBe('deferred');
    expect(connections).toBe(3);
    const sink = keep(await startSmtpServer());
    expect(await pipelined(sink).deliver(mail('a', data))).toMatchObject({ outcome: 'sent' });
    expect(sink.mails[0]!.data.length).toBe(data.length);
  });

  it('declares 8-bit content, and refuses it where the server takes none; likewise a size', async () => {
    const data = Buffer.from('Subject: test\r\n\r\nGrüße\r\n');
    const able = await scripted({ extensions: ['8BITMIME', 'PIPELINING'] });
    expect(await pipelined(able).deliver(mail('a', data))).toMatchObject({ outcome: 'sent' });
    expect(able.commands).toContain('MAIL FROM:<shop@example.test> BODY=8BITMIME');
    const unable = await scripted({ extensions: ['SIZE 10', 'PIPELINING'] });
    const transport = pipelined(unable);
    expect(await transport.deliver(mail('a', data))).toMatchObject({ outcome: 'refused', code: 0 });
    expect(await transport.deliver(mail('b'))).toMatchObject({ outcome: 'refused', code: 0 });
    expect(unable.commands).toEqual(['EHLO [127.0.0.1]']);
  });
});

describe.each([
  { name: 'pipelined', make: (options: SmtpOptions) => new PipelinedTransport(options) },
  { name: 'nodemailer', make: (options: SmtpOptions) => new NodemailerTransport(options) },
])('TLS and credentials: $name', ({ make }) => {
  const to = (sink: Sink, more: Partial<SmtpOptions>) => keep(make(plain(sink.port, more)));
  const tls = { ca: TEST_TLS.cert, servername: 'relay.example.test' };
  const secured = (security: 'starttls' | 'implicit') =>
    startSmtpServer({
      ...TEST_TLS,
      secure: security === 'implicit',
      disabledCommands: [],
      onAuth(auth, _, done) {
        const good = auth.username === 'shop' && auth.password === 'pass wörd';
        done(good ? null : new Error('no'), { user: 'shop' });
      },
      authOptional: false,
    });

  it.each(['starttls', 'implicit'] as const)(
    'sends over %s, with credentials',
    async (security) => {
      const sink = keep(await secured(security));
      const transport = to(sink, { security, tls, auth: { user: 'shop', password: 'pass wörd' } });
      const results = await Promise.all(['a', 'b'].map((name) => transport.deliver(mail(name))));
      expect(results.map((result) => result.outcome)).toEqual(['sent', 'sent']);
      expect(await transport.verify()).toMatchObject({ secured: true });
    },
  );

  it.each(['starttls', 'implicit'] as const)(
    '%s: sends nothing to an unknown certificate',
    async (security) => {
      const sink = keep(await secured(security));
      const wrong: SmtpOptions['tls'][] = [
        { servername: 'relay.example.test' },
        { ca: TEST_TLS.cert, servername: 'other.example.test' },
      ];
      for (const each of wrong) {
        const result = await to(sink, { security, tls: each }).deliver(mail('a'));
        expect(result).toMatchObject({ outcome: 'deferred', code: 0 });
      }
      expect(sink.mails).toEqual([]);
    },
  );

  it('wrong credentials are deferred with their reply: the message is not at fault', async () => {
    const sink = keep(await secured('starttls'));
    const auth = { user: 'shop', password: 'wrong' };
    const transport = to(sink, { security: 'starttls', tls, auth });
    const result = await transport.deliver(mail('a'));
    expect(result).toMatchObject({ outcome: 'deferred', stage: 'auth', code: 535 });
    await expect(transport.verify()).rejects.toMatchObject({ code: 'RELAY_DOWN' });
  });

  it('knows AUTH LOGIN too', async () => {
    const sink = keep(
      await startSmtpServer({
        ...TEST_TLS,
        disabledCommands: [],
        authMethods: ['LOGIN'],
        onAuth: (auth, _, done) =>
          done(auth.password === 'secret' ? null : new Error('no'), { user: 'shop' }),
      }),
    );
    const auth = { user: 'shop', password: 'secret' };
    const transport = to(sink, { security: 'starttls', tls, auth });
    expect(await transport.deliver(mail('a'))).toMatchObject({ outcome: 'sent' });
  });

  it('gives up where the server offers no STARTTLS', async () => {
    const sink = await scripted({});
    const result = await to(sink, { security: 'starttls', tls }).deliver(mail('a'));
    expect(result.outcome).toBe('deferred');
    expect(sink.commands.some((command) => command.startsWith('MAIL'))).toBe(false);
  });

  it('reads nothing that was said in plaintext behind STARTTLS', async () => {
    const server = await answering(
      ['220 go on\r\n250 injected\r\n'],
      '220 hi\r\n',
      undefined,
      undefined,
      'STARTTLS',
    );
    const timeouts = { connect: 200, greeting: 200, command: 200 };
    const options = plain(server.port, { security: 'starttls', tls, timeouts });
    const result = await keep(make(options)).deliver(mail('a'));
    expect(result.outcome).toBe('deferred');
    expect(server.received.join('')).not.toContain('MAIL');
  });

  it('refuses to send credentials in the clear beyond loopback', () => {
    expect(() =>
      make({
        host: 'relay.example.test',
        port: 25,
        security: 'plain',
        auth: { user: 'a', password: 'b' },
      }),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });
});

describe('as a nodemailer transport plugin', () => {
  it('sends what nodemailer composes, one transaction a recipient', async () => {
    const sink = keep(await startSmtpServer());
    const mailer = createTransport(pipelined(sink) as never);
    const info = (await mailer.sendMail({
      from: 'shop@example.test',
      to: ['a@example.test', 'b@example.test'],
      subject: 'Grüße',
      text: 'Hello\n.\nthere',
      html: '<p>Hello</p>',
    })) as { accepted: string[]; response: string };
    expect(info.accepted).toEqual(['a@example.test', 'b@example.test']);
    expect(info.response).toMatch(/^250 /);
    expect(sink.mails.length).toBe(2);
    expect(sink.mails[0]!.data).toContain('Hello\r\n.\r\nthere');
    expect(await mailer.verify()).toMatchObject({ secured: false });
  });

  it('fails as nodemailer does, with the reply and whether it is for good', async () => {
    const sink = await scripted({
      act: (stage) => (stage === 'rcpt' ? { reply: '550 5.1.1 nobody' } : undefined),
    });
    const mailer = createTransport(pipelined(sink) as never);
    await expect(
      mailer.sendMail({ from: 'shop@example.test', to: 'a@example.test', text: 'x' }),
    ).rejects.toMatchObject({ code: 'EENVELOPE', responseCode: 550, permanent: true });
  });
});

describe('replies', () => {
  const reply = fc
    .record({
      code: fc.integer({ min: 200, max: 599 }),
      lines: fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 40 }), {
        minLength: 1,
        maxLength: 6,
      }),
    })
    .map(({ code, lines }) => ({ code, lines }));
  const written = ({ code, lines }: Reply): string =>
    lines.map((line, at) => `${code}${at === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('');

  it('are the same however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(reply, { maxLength: 5 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 30 })),
        (replies, sizes) => {
          const bytes = replies.map(written).join('');
          const parser = new ReplyParser();
          const got: Reply[] = [];
          for (let at = 0; at < bytes.length;) {
            const size = sizes.next().value ?? 1;
            parser.push(bytes.slice(at, at + size), (each) => got.push(each));
            at += size;
          }
          expect(got).toEqual(replies);
          expect(parser.partial).toBe(false);
        },
      ),
    );
  });

  it('that are none are never taken for one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        const got: Reply[] = [];
        try {
          new ReplyParser().push(`${text}\r\n`, (each) => got.push(each));
        } catch {
          // Refused: as it should be.
        }
        for (const each of got) expect(text).toContain(String(each.code));
      }),
    );
  });
});

describe('wire form', () => {
  const content = fc
    .array(fc.constantFrom('.', '\r', '\n', '\r\n', 'a', 'bc', '..', 'ü', '\r\n.\r\n'), {
      maxLength: 30,
    })
    .map((parts) => Buffer.from(parts.join('')));

  it('has no lone line end and no bare dot, and comes back as it was', () => {
    fc.assert(
      fc.property(content, (data) => {
        const wire = toWireForm(data);
        const text = wire.toString('latin1');
        expect(/[^\r]\n|\r(?!\n)|^\n/.test(text)).toBe(false);
        expect(text === '' || text.endsWith('\r\n')).toBe(true);
        expect(/(?:^|\n)\.(?!\.)/.test(text)).toBe(false);
        const lines = data.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
        const whole = lines === '' || lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
        expect(unstuffed(wire).toString('latin1')).toBe(whole);
        expect(isEightBit(wire)).toBe(data.some((byte) => byte > 127));
        expect(toWireForm(wire)).toBe(wire);
      }),
    );
  });

  it('is not looked at again where it is marked', () => {
    const marked = markWireForm(Buffer.from('.x'), 7);
    expect(toWireForm(marked)).toBe(marked);
  });
});

function ENVELOPE_OK(): string {
  return '250 ok\r\n250 ok\r\n354 go on\r\n';
}

interface Answering {
  readonly port: number;
  readonly received: string[];
  close(): Promise<void>;
}

/** Says the next of `replies` to each chunk that comes after EHLO, whatever it is. */
async function answering(
  replies: readonly string[],
  greeting = '220 hi\r\n',
  onEnvelope?: (socket: net.Socket) => void,
  onLast?: (socket: net.Socket) => void,
  extension = 'PIPELINING',
): Promise<Answering> {
  const received: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write(greeting);
    let next = 0;
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (text.startsWith('EHLO')) {
        socket.write(`250-hi\r\n250 ${extension}\r\n`);
        return;
      }
      received.push(text);
      if (onEnvelope) return onEnvelope(socket);
      const reply = replies[next];
      next += 1;
      if (reply !== undefined && reply !== '') socket.write(reply);
      if (next === replies.length) onLast?.(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return keep({
    port: (server.address() as AddressInfo).port,
    received,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
}
