import { offsetsOf, visitNodes } from './source.ts';
import type { Program } from './engine.ts';

/**
 * The mustaches of a template as places in its text. HTML and links are looked at with a stand-in for each mustache,
 * which is put back afterwards, so HTML tools never see template syntax.
 */
export interface Token {
  readonly kind: 'value' | 'open' | 'close' | 'else' | 'comment';
  readonly start: number;
  readonly end: number;
}

// Two private-use characters, which no source may contain.
const BEFORE = '\uE000';
const AFTER = '\uE001';
const STAND_IN = /\uE000(\d+)\uE001/g;
export const PRIVATE_USE = /[\uE000-\uE00F]/;

/** Every `{{…}}` in order; null where one has no end. */
export function scanTokens(text: string): Token[] | null {
  const tokens: Token[] = [];
  let start = text.indexOf('{{');
  while (start >= 0) {
    const token = scanToken(text, start);
    if (!token) return null;
    tokens.push(token);
    start = text.indexOf('{{', token.end);
  }
  return tokens;
}

function scanToken(text: string, start: number): Token | null {
  const inner = text[start + 2] === '~' ? start + 3 : start + 2;
  const sign = text[inner] ?? '';
  if (sign === '!') {
    const isLong = text.startsWith('!--', inner);
    const close = isLong ? /--~?\}\}/g : /~?\}\}/g;
    close.lastIndex = inner;
    return close.exec(text) ? { kind: 'comment', start, end: close.lastIndex } : null;
  }
  let index = inner;
  while (index < text.length && !text.startsWith('}}', index)) {
    const quote = text[index];
    index += 1;
    if (quote !== '"' && quote !== "'") continue;
    while (index < text.length && text[index] !== quote) index += text[index] === '\\' ? 2 : 1;
    index += 1;
  }
  if (index >= text.length) return null;
  const isElse = /^\s*else\b/.test(text.slice(inner, index));
  const kind = sign === '#' ? 'open' : sign === '/' ? 'close' : isElse ? 'else' : 'value';
  return { kind, start, end: index + 2 };
}

/**
 * Whether the scanner and Handlebars see the same mustaches. Everything after relies on it: a mustache that only one of
 * them sees would escape the checks of its place in the HTML.
 */
export function tokensAgree(tokens: readonly Token[], program: Program, text: string): boolean {
  const offsetAt = offsetsOf(text);
  const expected = new Set<string>();
  visitNodes(program, ({ type, loc }) => {
    if (type === 'MustacheStatement')
      expected.add(`value ${offsetAt(loc.start)} ${offsetAt(loc.end)}`);
    if (type === 'CommentStatement')
      expected.add(`comment ${offsetAt(loc.start)} ${offsetAt(loc.end)}`);
    if (type === 'BlockStatement' && !isChained(text, offsetAt(loc.start))) {
      expected.add(`open ${offsetAt(loc.start)}`).add(`close ${offsetAt(loc.end)}`);
    }
  });
  const seen = new Set(
    tokens.flatMap(({ kind, start, end }) => {
      if (kind === 'else') return [];
      if (kind === 'open') return [`open ${start}`];
      return kind === 'close' ? [`close ${end}`] : [`${kind} ${start} ${end}`];
    }),
  );
  return seen.size === expected.size && [...seen].every((token) => expected.has(token));
}

/** `{{else if …}}` is a block in the tree, but not one with a tag of its own to open and close it. */
function isChained(text: string, start: number): boolean {
  return !/^\{\{~?#/.test(text.slice(start, start + 4));
}

export interface StandInText {
  readonly text: string;
  /** Where in the template a place of `text` was written. */
  offsetOf(offset: number): number;
}

export function standIn(index: number): string {
  return `${BEFORE}${index}${AFTER}`;
}

/** The text with a stand-in for each mustache; comments are dropped, with their line where they have it to themselves. */
export function withStandIns(source: string, tokens: readonly Token[]): StandInText {
  let text = '';
  let reached = 0;
  const pieces: { at: number; from: number }[] = [{ at: 0, from: 0 }];
  for (const [index, token] of tokens.entries()) {
    text += source.slice(reached, token.start);
    reached = token.end;
    pieces.push({ at: text.length, from: token.start });
    if (token.kind !== 'comment') text += standIn(index);
    else if (isAlone(source, token)) {
      text = text.slice(0, text.lastIndexOf('\n') + 1);
      reached = source.indexOf('\n', reached) + 1;
    }
    pieces.push({ at: text.length, from: reached });
  }
  text += source.slice(reached);
  return {
    text,
    offsetOf(offset) {
      const piece = pieces.findLast(({ at }) => at <= offset)!;
      return Math.min(piece.from + offset - piece.at, source.length);
    },
  };
}

/** Whether a mustache has its line to itself, and a line follows. */
function isAlone(source: string, { start, end }: Token): boolean {
  const lineStart = source.lastIndexOf('\n', start - 1) + 1;
  const lineEnd = source.indexOf('\n', end);
  if (lineEnd < 0) return false;
  return source.slice(lineStart, start).trim() === '' && source.slice(end, lineEnd).trim() === '';
}

/** Puts the mustaches back: what `written` gives for the number of each. */
export function withoutStandIns(text: string, written: (index: number) => string): string {
  return text.replaceAll(STAND_IN, (_match, digits: string) => written(Number(digits)));
}

/** The numbers of the stand-ins in `text`, in order, with their offsets. */
export function standInsOf(text: string): { index: number; offset: number; length: number }[] {
  return [...text.matchAll(STAND_IN)].map((match) => ({
    index: Number(match[1]),
    offset: match.index,
    length: match[0].length,
  }));
}
