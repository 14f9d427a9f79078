import { mkdtemp, readFile, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { MailLog, type MailLogLimits } from '../../server/inbox/mail-log.ts';

const folders: string[] = [];
const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'kairos-inbox-'));
  folders.push(path);
  return path;
};
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))));

const mail = (subject: string, to = ['ada@mail.example.org']) => ({
  receivedAtMs: 1_800_000_000_000,
  from: 'news@shop.example.test',
  to,
  subject,
  messageId: `<${subject.length}@shop.example.test>`,
});

async function withLog<T>(
  directory: string,
  limits: Partial<MailLogLimits>,
  work: (log: MailLog) => Promise<T>,
): Promise<T> {
  const log = await MailLog.open(directory, limits);
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

describe('the inbox’s log of mails', () => {
  it('gives back what it took, byte for byte, before and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 3_000 })), {
          minLength: 1,
          maxLength: 12,
        }),
        async (mails) => {
          const directory = await folder();
          const limits = { perSegment: 5 };
          const check = async (log: MailLog): Promise<void> => {
            expect(log.count).toBe(mails.length);
            for (const [n, [subject, bytes]] of mails.entries()) {
              expect(log.head(n + 1)?.subject).toBe(subject.toWellFormed());
              expect(Buffer.compare((await log.raw(n + 1))!, bytes)).toBe(0);
            }
          };
          await withLog(directory, limits, async (log) => {
            const seqs = await Promise.all(
              mails.map(([subject, bytes]) =>
                log.append(mail(subject.toWellFormed()), Buffer.from(bytes)),
              ),
            );
            expect(seqs).toEqual(mails.map((_, n) => n + 1));
            await check(log);
          });
          await withLog(directory, limits, check);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('forgets nobody who comes in the moment in which a write ends', async () => {
    await withLog(await folder(), {}, async (log) => {
      // Each round begins in the very turn in which the one before is acknowledged.
      for (let round = 0; round < 30; round += 1) {
        await Promise.all(
          Array.from({ length: round % 3 === 0 ? 200 : 1 }, () =>
            log.append(mail('round'), Buffer.from('x')),
          ),
        );
      }
      expect(log.lastSeq).toBe(10 * 200 + 20);
    });
  });

  it('cuts off a record that a crash tore, wherever it tore it, and goes on behind the last whole one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), async (share) => {
        const directory = await folder();
        const sizes: number[] = [];
        const file = join(directory, 'mails-000000000001.log');
        await withLog(directory, {}, async (log) => {
          for (let n = 1; n <= 4; n += 1) {
            await log.append(mail(`mail ${n}`), Buffer.from(`line\n\n${'x'.repeat(n * 40)}\n`));
            sizes.push((await readFile(file)).length);
          }
        });
        const cutAt = Math.floor(share * sizes.at(-1)!);
        await truncate(file, cutAt);
        const whole = sizes.filter((size) => size <= cutAt).length;
        await withLog(directory, {}, async (log) => {
          expect(log.count).toBe(whole);
          expect(await log.append(mail('after the crash'), Buffer.from('new'))).toBe(whole + 1);
        });
        await withLog(directory, {}, async (log) => {
          expect(log.count).toBe(whole + 1);
          expect(log.head(whole + 1)?.subject).toBe('after the crash');
          expect((await log.raw(whole + 1))?.toString()).toBe('new');
        });
      }),
      { numRuns: 40 },
    );
  });

  it('keeps the newest mails within its bounds, and never uses a number twice', async () => {
    const directory = await folder();
    const limits = { mails: 20, perSegment: 10 };
    await withLog(directory, limits, async (log) => {
      for (let n = 1; n <= 95; n += 1) await log.append(mail(`mail ${n}`), Buffer.from('x'));
      expect(log.count).toBeGreaterThanOrEqual(20);
      expect(log.count).toBeLessThanOrEqual(30);
      expect(log.lastSeq).toBe(95);
      expect(log.head(1)).toBeNull();
      expect(await log.raw(1)).toBeNull();
      expect(log.head(95)?.subject).toBe('mail 95');
      expect(log.after(0, 1)[0]?.seq).toBe(95 - log.count + 1);
    });
    expect((await readdir(directory)).length).toBeLessThanOrEqual(3);
    await withLog(directory, limits, async (log) => {
      expect(await log.append(mail('the next one'), Buffer.from('x'))).toBe(96);
    });
  });

  it('keeps within its bytes as well', async () => {
    const directory = await folder();
    await withLog(directory, { bytes: 50_000, perSegment: 5 }, async (log) => {
      for (let n = 1; n <= 40; n += 1) await log.append(mail('large'), Buffer.alloc(4_000));
      expect(log.count * 4_000).toBeLessThan(75_000);
      expect(log.head(40)).not.toBeNull();
    });
  });

  it('finds by every word in subject, address or id, newest first, and pages by number', async () => {
    await withLog(await folder(), {}, async (log) => {
      await log.append(mail('Spring sale', ['ada@mail.example.org']), Buffer.from('1'));
      await log.append(mail('Autumn news', ['bob@post.example.net']), Buffer.from('2'));
      await log.append(mail('SPRING news', ['bob@mail.example.org']), Buffer.from('3'));
      const seqs = (query: string, before = Infinity): number[] =>
        log.find(query, before, 10).map((each) => each.seq);
      expect(seqs('')).toEqual([3, 2, 1]);
      expect(seqs('spring')).toEqual([3, 1]);
      expect(seqs('  bob   NEWS ')).toEqual([3, 2]);
      expect(seqs('bob ada')).toEqual([]);
      expect(seqs('', 3)).toEqual([2, 1]);
      expect(log.find('', Infinity, 2).map((each) => each.seq)).toEqual([3, 2]);
      expect(log.after(1, 10).map((each) => each.seq)).toEqual([2, 3]);
      expect(log.after(3, 10)).toEqual([]);
    });
  });
});
