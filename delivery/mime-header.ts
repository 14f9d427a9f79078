import { KairosError } from '../domain/errors.ts';

/** Lines of a header that holds encoded words (RFC 2047 §2); others may be longer, but need not be. */
const LINE_MAX = 76;
/** `=?UTF-8?B?` and `?=`; a word is at most 75 characters, since it shares its line with one space at least. */
const WORD_FRAME = 12;
/** RFC 5322 §2.1.1, without CRLF. */
const LINE_HARD_MAX = 998;
/** A subject or a name beyond this is a mistake in a template or in the data. */
const TEXT_MAX = 1_000;

// eslint-disable-next-line no-control-regex -- control characters are what is refused here
const CONTROL = /[\0-\x1f\x7f]/;
// eslint-disable-next-line no-control-regex -- all of ASCII is meant
const ASCII = /^[\0-\x7f]*$/;
const ATOMS = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;

/** Header text as a template or a person's data gave it. Throws `HEADER_INVALID` on control characters. */
export function checkHeaderText(text: string, header: string): string {
  if (CONTROL.test(text) || text.length > TEXT_MAX) {
    throw new KairosError(
      'HEADER_INVALID',
      `The header ${header} has a control character or more than ${TEXT_MAX} characters: give it one plain line of text.`,
      { header },
    );
  }
  return text;
}

/** `Name: value` for values that are ASCII by their grammar, such as ids and URLs; folded once where it is long. */
export function asciiHeader(name: string, value: string): string {
  checkHeaderText(value, name);
  if (!ASCII.test(value) || value.length > LINE_HARD_MAX - 1) {
    throw new KairosError(
      'HEADER_INVALID',
      `The header ${name} takes ASCII of at most ${LINE_HARD_MAX - 1} characters: encode or shorten it.`,
      { header: name },
    );
  }
  const folds = name.length + 2 + value.length > LINE_MAX;
  return `${name}:${folds ? '\r\n' : ''} ${value}\r\n`;
}

/** `Name: value` for free text, such as a subject: as it is where that is safe, else in encoded words. */
export function textHeader(name: string, value: string): string {
  checkHeaderText(value, name);
  const start = `${name}: `;
  if (start.length + value.length <= LINE_MAX && isPlainText(value)) return `${start}${value}\r\n`;
  return `${start}${encodedWords(value, start.length).text}\r\n`;
}

/** `Name: display name <address>`. The address must have passed the strict grammar: nothing in it needs quoting. */
export function addressHeader(name: string, displayName: string, address: string): string {
  checkHeaderText(displayName, name);
  const start = `${name}: `;
  if (displayName === '') return `${start}${address}\r\n`;
  const phrase = displayPhrase(displayName, start.length);
  const folds = phrase.column + address.length + 3 > LINE_MAX;
  return `${start}${phrase.text}${folds ? '\r\n' : ''} <${address}>\r\n`;
}

interface Folded {
  readonly text: string;
  /** Length of the last line. */
  readonly column: number;
}

function displayPhrase(name: string, column: number): Folded {
  if (column + name.length + 2 <= LINE_MAX && isPlainText(name)) {
    const text = ATOMS.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`;
    if (column + text.length <= LINE_MAX) return { text, column: column + text.length };
  }
  return encodedWords(name, column);
}

/** Readable as it stands: ASCII, no space that a parser would trim or fold, nothing that looks like an encoded word. */
function isPlainText(text: string): boolean {
  return ASCII.test(text) && !text.includes('=?') && text.trim() === text && !text.includes('  ');
}

/** UTF-8 in base64 words (RFC 2047 §4.1), cut between characters, each line within its bound. */
function encodedWords(text: string, column: number): Folded {
  const bytes = Buffer.from(text.toWellFormed(), 'utf8');
  let out = '';
  let at = column;
  let from = 0;
  for (;;) {
    const end = wordEnd(bytes, from, LINE_MAX - at);
    const word = `=?UTF-8?B?${bytes.toString('base64', from, end)}?=`;
    out += word;
    at += word.length;
    if (end === bytes.length) return { text: out, column: at };
    out += '\r\n ';
    at = 1;
    from = end;
  }
}

/** Where a word that begins at `from` must end to fit into `room` characters: always after a whole character. */
function wordEnd(bytes: Buffer, from: number, room: number): number {
  const fitting = Math.max(4, Math.floor((room - WORD_FRAME) / 4) * 3);
  let end = Math.min(bytes.length, from + fitting);
  while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return end;
}
