import { once } from 'node:events';
import { from as copyFrom } from 'pg-copy-streams';
import type { Tx } from './postgres.ts';

export type CopyValue = string | number | boolean | null;

const SPECIAL = /[\\\t\n\r]/g;
const ESCAPES: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** One row of COPY's text format. NUL cannot be stored in PostgreSQL's text and is dropped. */
export function copyLine(values: readonly CopyValue[]): string {
  let line = '';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) line += '\t';
    const value = values[index];
    if (value === null || value === undefined) line += '\\N';
    else if (typeof value === 'string') {
      const clean = value.includes('\0') ? value.replaceAll('\0', '') : value;
      line += SPECIAL.test(clean) ? clean.replaceAll(SPECIAL, (c) => ESCAPES[c]!) : clean;
      SPECIAL.lastIndex = 0;
    } else if (typeof value === 'boolean') line += value ? 't' : 'f';
    else line += value;
  }
  return `${line}\n`;
}

/** Copies lines that were made by {@link copyLine} or in its format; for callers that have them all in hand. */
export async function copyText(tx: Tx, target: string, text: string): Promise<void> {
  const stream = tx.query(copyFrom(`copy ${target} from stdin`));
  await new Promise<void>((resolve, reject) => {
    stream.once('finish', resolve);
    stream.once('error', reject);
    stream.end(text);
  });
}

const CHUNK_BYTES = 256 * 1024;

/** Streams rows into a table (name and columns are our own constants, never user input); returns their number. */
export async function copyInto(
  tx: Tx,
  target: string,
  rows: Iterable<readonly CopyValue[]> | AsyncIterable<readonly CopyValue[]>,
): Promise<number> {
  const stream = tx.query(copyFrom(`copy ${target} from stdin`));
  const done = new Promise<void>((resolve, reject) => {
    stream.once('finish', resolve);
    stream.once('error', reject);
  });
  // A failure while we are still producing rows must not be an unhandled rejection.
  done.catch(() => {});
  let count = 0;
  let buffer = '';
  try {
    for await (const row of rows) {
      buffer += copyLine(row);
      count += 1;
      if (buffer.length >= CHUNK_BYTES) {
        if (!stream.write(buffer)) await Promise.race([once(stream, 'drain'), done]);
        buffer = '';
      }
    }
  } catch (error) {
    stream.destroy(error as Error);
    throw error;
  }
  stream.end(buffer);
  await done;
  return count;
}
