import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instantOf } from '../../domain/local-time.ts';
import { dateReader, isDateFormat, zoneClock } from '../../store/import/dates.ts';
import { SeenIds } from '../../store/import/seen.ts';
import { cleanText, readBoolean, readCountry, readNumber } from '../../store/import/values.ts';

const utc = (localMs: number): number => localMs;
const read = (text: string, format?: string): string => {
  const atMs = dateReader(format, utc)(text);
  return Number.isNaN(atMs) ? 'not a date' : new Date(atMs).toISOString();
};

describe('dates', () => {
  it.each([
    ['2026-03-01', undefined, '2026-03-01T00:00:00.000Z'],
    ['2026-03-01 10:05', undefined, '2026-03-01T10:05:00.000Z'],
    ['2026-03-01T10:05:06.123456Z', undefined, '2026-03-01T10:05:06.123Z'],
    ['2026-03-01T10:05:06+02:00', undefined, '2026-03-01T08:05:06.000Z'],
    ['2026-03-01 10:05:06 -0530', undefined, '2026-03-01T15:35:06.000Z'],
    ['31.12.2025 23:59', 'dd.MM.yyyy HH:mm', '2025-12-31T23:59:00.000Z'],
    ['1/2/26', 'd/M/yy', '2026-02-01T00:00:00.000Z'],
    ['12/1/2010 8:26', 'M/d/yyyy H:mm', '2010-12-01T08:26:00.000Z'],
    ['3 Feb 1999 12:30 AM', 'd MMM yyyy hh:mm a', '1999-02-03T00:30:00.000Z'],
    ['3 February 1999 12:30 pm', 'd MMMM yyyy h:mm a', '1999-02-03T12:30:00.000Z'],
    ['20260301', 'yyyyMMdd', '2026-03-01T00:00:00.000Z'],
    ['2026.03.01T10+02:00', "yyyy.MM.dd'T'HHXXX", '2026-03-01T08:00:00.000Z'],
    ['1772359506', 'epoch-s', '2026-03-01T10:05:06.000Z'],
    ['1772359506123', 'epoch-ms', '2026-03-01T10:05:06.123Z'],
    ['40513.3513888889', 'excel', '2010-12-01T08:26:00.000Z'],
  ])('reads %s as %s', (text, format, expected) => {
    expect(read(text, format)).toBe(expected);
  });

  it.each([
    ['2026-02-29', undefined],
    ['2026-13-01', undefined],
    ['2026-03-01T24:00', undefined],
    ['01/02/2026', undefined],
    ['tomorrow', undefined],
    ['31.02.2026', 'dd.MM.yyyy'],
    ['31.12.2025 ', 'dd.MM.yyyy'],
    ['31.12.25', 'dd.MM.yyyy'],
    ['13:00 PM 1/1/2020', 'hh:mm a M/d/yyyy'],
    ['12e5', 'epoch-s'],
  ])('takes %s for no date', (text, format) => {
    expect(read(text, format)).toBe('not a date');
  });

  it('knows a pattern without a day, or with hours of 12 and no half, for none', () => {
    expect(['yyyy-MM-dd', 'epoch-s', 'excel'].every(isDateFormat)).toBe(true);
    expect(['HH:mm', 'yyyy-MM', 'yyyy-MM-dd hh:mm', 'DD.MM.YYYY', ''].some(isDateFormat)).toBe(
      false,
    );
  });

  it('knows the instant of any wall-clock time of any zone, gaps and repeated hours included', () => {
    const zones = [
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'UTC',
    ];
    const clocks = new Map(zones.map((zone) => [zone, zoneClock(zone)]));
    const seconds = fc.integer({ min: Date.UTC(1995, 0) / 1000, max: Date.UTC(2030, 0) / 1000 });
    const nearChange = fc
      .tuple(
        fc.constantFrom(
          Date.UTC(2026, 2, 29),
          Date.UTC(2026, 9, 25),
          Date.UTC(2026, 2, 8),
          Date.UTC(2026, 3, 5),
          Date.UTC(2026, 9, 4),
        ),
        fc.integer({ min: -7_200, max: 21_600 }),
      )
      .map(([dayMs, offset]) => dayMs / 1000 + offset);
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.oneof(seconds, nearChange), (zone, second) => {
        expect(clocks.get(zone)!(second * 1000)).toBe(instantOf(second * 1000, zone));
      }),
      { numRuns: 400 },
    );
  });
});

describe('numbers', () => {
  it.each([
    ['1234.5', '.', 1234.5],
    ['1,234.50', '.', 1234.5],
    ['-7', '.', -7],
    ['+7', '.', 7],
    ['1e3', '.', 1000],
    ['$ 12.00', '.', 12],
    ['-$12.00', '.', -12],
    ['12.00 USD', '.', 12],
    ['1.234,50', ',', 1234.5],
    ['12,5', ',', 12.5],
    ['12,50 €', ',', 12.5],
    ["1'234,5", ',', 1234.5],
    ['1 234 567,5', ',', 1234567.5],
  ] as const)('reads %s with %s as %d', (text, decimal, expected) => {
    expect(readNumber(text, decimal)).toBe(expected);
  });

  it.each([
    ['1,23', '.'],
    ['1.23.4', '.'],
    ['0x10', '.'],
    ['Infinity', '.'],
    ['NaN', '.'],
    ['12 apples', '.'],
    ['1.5', ','],
    ['1,234.5', ','],
    ['-', '.'],
  ] as const)('takes %s with %s for no number', (text, decimal) => {
    expect(readNumber(text, decimal)).toBeNaN();
  });

  it('reads whatever the locales of shops write', () => {
    const number = fc.integer({ min: -1e9, max: 1e9 }).map((cents) => cents / 100);
    const locales = fc.constantFrom(['en-US', '.'], ['de-DE', ','], ['fr-FR', ','], ['de-CH', '.']);
    fc.assert(
      fc.property(number, locales, (value, [locale, decimal]) => {
        const text = new Intl.NumberFormat(locale, { minimumFractionDigits: 2 }).format(value);
        expect(readNumber(text, decimal as '.' | ',')).toBe(value);
      }),
    );
  });
});

describe('words', () => {
  it('knows yes and no, countries by code and name, and what cannot be stored', () => {
    expect(['Yes', 'TRUE', '1'].map(readBoolean)).toEqual([true, true, true]);
    expect(['no', '0', 'maybe'].map(readBoolean)).toEqual([false, false, undefined]);
    expect(
      ['de', 'United Kingdom', 'USA', 'UK', 'France', 'Atlantis', 'EU'].map(readCountry),
    ).toEqual(['DE', 'GB', 'US', 'GB', 'FR', null, null]);
    expect(cleanText(' a\u0000b\u001fc 👍 \ud800')).toBe('abc 👍 \ufffd');
  });

  it('remembers which ids it has seen', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 6 }), { maxLength: 3_000 }), (ids) => {
        const seen = new SeenIds();
        const known = new Set<string>();
        for (const id of ids) {
          expect(seen.add(id)).toBe(known.has(id));
          known.add(id);
        }
      }),
      { numRuns: 20 },
    );
  });
});
