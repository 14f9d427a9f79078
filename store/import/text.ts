import { isUtf8 } from 'node:buffer';
import { KairosError } from '../../domain/errors.ts';
import type { ByteSource } from './bytes.ts';
import type { TextFormat } from './table.ts';

export interface TextPart {
  /** Whole lines, but for the last part. */
  readonly text: string;
  /** Lines of this part, from 0, that were not UTF-8 and were read as Windows-1252. */
  readonly recoded: readonly number[];
}

export interface TextReader {
  /** The label of the Encoding Standard that the file is read by. */
  readonly encoding: string;
  readonly parts: AsyncGenerator<TextPart>;
}

/** Bytes without any line break that are held at most: the longest record. */
const LINE_BYTES_MAX = 48 * 1024 * 1024;
const NONE: readonly number[] = [];

/**
 * Text of a file: by its byte order mark, else by what the mapping says, else UTF-16 where every second byte is zero,
 * else UTF-8, of which single lines that are none are read as Windows-1252: exports are glued together from two sources.
 * @throws KairosError where the encoding is not known
 */
export async function openText(
  path: string,
  source: ByteSource,
  { encoding: declared, recode = true }: TextFormat,
): Promise<TextReader> {
  const named = declared === undefined ? undefined : checkedEncoding(path, declared);
  const chunks = source.chunks[Symbol.asyncIterator]();
  // A gz member may hold a single byte.
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 4) {
    const next = await chunks.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const mark = markOf(head);
  const encoding = mark?.encoding ?? named ?? guessWide(head) ?? 'utf-8';
  const rest = async function* (): AsyncGenerator<Buffer> {
    if (head.length > 0) yield mark ? head.subarray(mark.bytes) : head;
    for (;;) {
      const next = await chunks.next();
      if (next.done) return;
      yield next.value;
    }
  };
  const parts = encoding === 'utf-8' ? utf8Parts(rest(), recode) : otherParts(rest(), encoding);
  return { encoding, parts };
}

function checkedEncoding(path: string, encoding: string): string {
  try {
    return new TextDecoder(encoding).encoding;
  } catch {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: the encoding "${encoding}" is not known; expected one such as utf-8, windows-1252 or utf-16le.`,
    );
  }
}

/** A byte order mark knows better than a mapping, which may have been written for another file. */
function markOf(head: Buffer): { encoding: string; bytes: number } | null {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) {
    return { encoding: 'utf-8', bytes: 3 };
  }
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf-16le', bytes: 2 };
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: 'utf-16be', bytes: 2 };
  return null;
}

/** UTF-16 without a mark: of text in Latin letters every second byte is zero. */
function guessWide(head: Buffer): string | null {
  const length = Math.min(head.length, 1_000) & ~1;
  if (length < 4) return null;
  let [even, odd] = [0, 0];
  for (let at = 0; at < length; at += 2) {
    if (head[at] === 0) even += 1;
    if (head[at + 1] === 0) odd += 1;
  }
  const most = (length / 2) * 0.7;
  if (odd > most && even === 0) return 'utf-16le';
  return even > most && odd === 0 ? 'utf-16be' : null;
}

async function* utf8Parts(
  chunks: AsyncIterable<Buffer>,
  recodes: boolean,
): AsyncGenerator<TextPart> {
  let rest: Buffer[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    // A line feed, or a carriage return of an old Mac, is one byte in UTF-8 and in Windows-1252.
    const cut = Math.max(chunk.lastIndexOf(10), held > 1_048_576 ? chunk.lastIndexOf(13) : -1) + 1;
    if (cut === 0 && held + chunk.length < LINE_BYTES_MAX) {
      rest.push(chunk);
      held += chunk.length;
      continue;
    }
    const until = cut === 0 ? chunk.length : cut;
    const whole =
      held === 0 ? chunk.subarray(0, until) : Buffer.concat([...rest, chunk.subarray(0, until)]);
    yield decoded(whole, recodes);
    rest = until === chunk.length ? [] : [chunk.subarray(until)];
    held = chunk.length - until;
  }
  if (held > 0) yield decoded(Buffer.concat(rest), recodes);
}

function decoded(bytes: Buffer, recodes: boolean): TextPart {
  const text = bytes.toString('utf8');
  return recodes && text.includes('\uFFFD') && !isUtf8(bytes)
    ? recode(bytes)
    : { text, recoded: NONE };
}

const windows1252 = new TextDecoder('windows-1252');

function recode(bytes: Buffer): TextPart {
  const recoded: number[] = [];
  let text = '';
  for (let [at, line] = [0, 0]; at < bytes.length; line += 1) {
    const feed = bytes.indexOf(10, at);
    const end = feed < 0 ? bytes.length : feed + 1;
    const piece = bytes.subarray(at, end);
    if (isUtf8(piece)) text += piece.toString('utf8');
    else {
      text += windows1252.decode(piece);
      recoded.push(line);
    }
    at = end;
  }
  return { text, recoded };
}

async function* otherParts(
  chunks: AsyncIterable<Buffer>,
  encoding: string,
): AsyncGenerator<TextPart> {
  const decoder = new TextDecoder(encoding);
  for await (const chunk of chunks) {
    yield { text: decoder.decode(chunk, { stream: true }), recoded: NONE };
  }
  const end = decoder.decode();
  if (end !== '') yield { text: end, recoded: NONE };
}
