import type { LocatedProblem } from '../domain/problem.ts';
import { lintTemplate, type Lint, type LinkCall } from './lint.ts';
import { expandPartials, type FlatSource, type SourceFile } from './source.ts';
import {
  PRIVATE_USE,
  scanTokens,
  standIn,
  tokensAgree,
  withoutStandIns,
  withStandIns,
  type StandInText,
  type Token,
} from './tokens.ts';

/** One part of a mail, read and checked: its text with partials, its mustaches, and what they use. */
export interface Part {
  readonly flat: FlatSource;
  readonly tokens: readonly Token[];
  readonly lint: Lint;
  /** The text with a stand-in for each mustache. */
  readonly standIns: StandInText;
}

/** Reads one part; null with at least one problem where something is wrong. */
export function analysePart(
  file: SourceFile,
  partials: Readonly<Record<string, string>>,
  kind: 'html' | 'text',
  problems: LocatedProblem[],
): Part | null {
  const before = problems.length;
  const flat = expandPartials(layoutOf(file, partials, kind), {
    partial(name) {
      if (name === 'body' && kind === 'html') return file;
      if (!Object.hasOwn(partials, name)) return null;
      return { name: partialName(name, kind), text: partials[name]!.replaceAll(/\r\n?/g, '\n') };
    },
    escape: kind === 'html' ? escapeHtml : (text) => text,
    problems,
  });
  if (!flat) return null;
  const hidden = PRIVATE_USE.exec(flat.text);
  if (hidden) {
    problems.push(flat.problem(hidden.index, 1, 'a private-use character is not allowed here.'));
    return null;
  }
  const lint = lintTemplate(flat, problems);
  if (problems.length > before) return null;
  const tokens = scanTokens(flat.text);
  if (!tokens || !tokensAgree(tokens, lint.program, flat.text)) {
    const message = 'the mustaches of this template cannot be told apart; expected plain {{…}}.';
    problems.push(flat.problem(0, 1, message));
    return null;
  }
  return { flat, tokens, lint, standIns: withStandIns(flat.text, tokens) };
}

/** An HTML without `<html` is the body of the shared layout. */
function layoutOf(
  file: SourceFile,
  partials: Readonly<Record<string, string>>,
  kind: 'html' | 'text',
): SourceFile {
  if (kind === 'text' || /<html[\s>]/i.test(file.text) || !Object.hasOwn(partials, 'layout')) {
    return file;
  }
  return {
    name: partialName('layout', kind),
    text: partials['layout']!.replaceAll(/\r\n?/g, '\n'),
  };
}

function partialName(name: string, kind: 'html' | 'text'): string {
  return `templates/partials/${name}.${kind}.hbs`;
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Stand-ins of a part beyond its own mustaches, and what is written for those that become links. */
export class Rewriting {
  readonly #part: Part;
  readonly #calls: ReadonlyMap<number, LinkCall>;
  readonly #written = new Map<number, string>();
  #next: number;

  constructor(part: Part) {
    this.#part = part;
    this.#calls = new Map(part.lint.calls.map((call) => [call.offset, call]));
    this.#next = part.tokens.length;
  }

  /** A new stand-in, for something that had none. */
  add(written: string): string {
    this.#written.set(this.#next, written);
    return standIn(this.#next++);
  }

  replace(index: number, written: string): void {
    this.#written.set(index, written);
  }

  has(index: number): boolean {
    return this.#written.has(index);
  }

  /** The link helper that mustache `index` is; undefined where it is none. */
  callAt(index: number): LinkCall | undefined {
    const token = this.#part.tokens[index];
    return token && this.#calls.get(token.start);
  }

  /** Puts all mustaches back into `text`. */
  finish(text: string): string {
    return writtenBack(this.#part, text, this.#written);
  }
}

/** `text`, or the part's own, with its mustaches back in place. */
export function writtenBack(
  part: Part,
  text: string = part.standIns.text,
  written: ReadonlyMap<number, string> = new Map(),
): string {
  return withoutStandIns(text, (index) => {
    const token = part.tokens[index];
    return written.get(index) ?? part.flat.text.slice(token!.start, token!.end);
  });
}
