import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HUMAN_AFTER_MS, type Sighting, isMachine } from '../../domain/machine.ts';

const HUMANS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  'Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.4266; ms-office; MSOffice 16)',
  'Mozilla/5.0 (Linux; Android 15; SM-S938B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36',
];
const MACHINES = [
  '',
  'curl/8.5.0',
  'python-requests/2.32',
  'node',
  'Go-http-client/2.0',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/141.0.0.0 Safari/537.36',
  'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
  'WhatsApp/2.23.20.0',
  'BarracudaCentral/1.0',
];
/** They fetch pictures unasked, but nobody's link. */
const PROXIES = [
  'Mozilla/5.0',
  'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)',
  'YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html',
];

const sighting = (change: Partial<Sighting>): Sighting => ({
  kind: 'click',
  method: 'GET',
  userAgent: HUMANS[0]!,
  atMs: 10_000_000,
  deliveredAtMs: 0,
  ...change,
});

describe('who opened or clicked', () => {
  it('is a person by every browser and mail program', () => {
    for (const userAgent of HUMANS) {
      for (const kind of ['open', 'click'] as const) {
        expect([userAgent, isMachine(sighting({ userAgent, kind }))]).toEqual([userAgent, false]);
      }
    }
  });

  it('is a machine by a program’s name, without a name, and where only the head is asked for', () => {
    for (const userAgent of [...MACHINES, null]) {
      expect([userAgent, isMachine(sighting({ userAgent }))]).toEqual([userAgent, true]);
    }
    expect(isMachine(sighting({ method: 'HEAD' }))).toBe(true);
  });

  it('is a machine where a proxy fetches pictures, and a person where they click through it', () => {
    for (const userAgent of PROXIES) {
      expect(isMachine(sighting({ userAgent, kind: 'open' }))).toBe(true);
      expect(isMachine(sighting({ userAgent, kind: 'click' }))).toBe(false);
    }
  });

  it('is a machine within two seconds of the delivery, and before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (afterMs) => {
        const seen = sighting({ atMs: 10_000_000 + afterMs, deliveredAtMs: 10_000_000 });
        expect(isMachine(seen)).toBe(afterMs < HUMAN_AFTER_MS);
      }),
    );
    expect(isMachine(sighting({ deliveredAtMs: null }))).toBe(false);
  });

  it('is judged quickly, however long a name is', () => {
    const userAgent = 'a b'.repeat(100_000);
    const began = performance.now();
    for (let index = 0; index < 1_000; index += 1) isMachine(sighting({ userAgent }));
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
