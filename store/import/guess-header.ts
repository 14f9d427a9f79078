import type { ByteSource } from './bytes.ts';
import { CsvSplitter } from './csv-records.ts';
import { likelyDelimiter } from './delimiter.ts';
import { dateReader } from './dates.ts';
import { openText } from './text.ts';
import type { TextFormat } from './table.ts';
import { readNumber } from './values.ts';

const LINES = 60;

/** Lines above the header, and names for columns that have none, by the first lines. */
export async function findHeader(path: string, source: ByteSource): Promise<TextFormat> {
  try {
    const { parts } = await openText(path, source, {});
    const { value, done } = await parts.next();
    if (done) return {};
    const head = value.text.slice(0, 262_144);
    const eol = !head.includes('\n') && head.includes('\r') ? '\r' : '\n';
    if (/^"?sep=./i.test(head)) return {};
    const lines = head.split(eol);
    // Above the header stand titles, so the delimiter shows further down.
    const below = lines.slice(Math.min(10, Math.floor(lines.length / 2))).join(eol);
    const delimiter = likelyDelimiter(below.trim() === '' ? head : below, eol);
    const { records, lines: places } = new CsvSplitter(delimiter, eol).take(head, true);
    return formatBy(records.slice(0, LINES), places, delimiter);
  } finally {
    source.destroy();
  }
}

function formatBy(
  records: readonly (readonly string[])[],
  places: readonly number[],
  delimiter: string,
): TextFormat {
  const widths = new Map<number, number>();
  for (const { length } of records) widths.set(length, (widths.get(length) ?? 0) + 1);
  const [width = 1] = [...widths].sort((a, b) => b[1] - a[1]).map(([length]) => length);
  if (width === 1) return {};
  const first = records.findIndex(
    (record) =>
      record.length >= width && record.filter((cell) => cell.trim() !== '').length > width / 2,
  );
  if (first < 0) return {};
  const skipLines = places[first]! - 1;
  const header = records[first]!;
  const hasNone = header.some((cell) => isValue(cell.trim()));
  return {
    ...(skipLines > 0 && { skipLines, delimiter }),
    ...(hasNone && { columns: header.map((_, index) => `column ${index + 1}`) }),
  };
}

/** A number, a date or an address is no heading. */
function isValue(text: string): boolean {
  if (text === '') return false;
  if (/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(text)) return true;
  // A year may head a column.
  if (!Number.isNaN(readNumber(text, '.')) && !/^(?:19|20)\d\d$/.test(text)) return true;
  return ['yyyy-M-d', 'd.M.yyyy', 'd/M/yyyy', 'M/d/yyyy', undefined].some(
    (format) => !Number.isNaN(dateReader(format, (localMs) => localMs)(text)),
  );
}
