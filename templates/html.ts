import { PROBLEMS_MAX } from './source.ts';
import { standInsOf } from './tokens.ts';

/**
 * A strict reading of the HTML of a mail. Browsers accept anything, and each mends it in its own way; what is escaped
 * for one place is not for another. So only plain HTML passes: tags and attributes from a list, values in quotes,
 * fields in text and in a few attributes, and no scripts, forms or frames.
 */
export interface Attribute {
  readonly name: string;
  readonly value: string;
  /** Offset of the value within its quotes. */
  readonly offset: number;
}

export interface Tag {
  readonly name: string;
  readonly offset: number;
  readonly end: number;
  readonly isClosing: boolean;
  readonly attributes: readonly Attribute[];
}

export interface HtmlFault {
  readonly offset: number;
  readonly length: number;
  readonly message: string;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

const TAGS = words(
  'html head title meta style body div span p br hr h1 h2 h3 h4 h5 h6 a img table thead tbody tfoot tr td th ' +
    'ul ol li strong b em i u s small sub sup blockquote center font pre code figure figcaption header footer main ' +
    'section article',
);
const ATTRIBUTES = words(
  'class id style lang dir role align valign width height alt title border cellpadding cellspacing bgcolor color ' +
    'colspan rowspan scope href src name content charset http-equiv xmlns xmlns:v xmlns:o aria-label aria-hidden ' +
    'aria-roledescription aria-labelledby size face',
);
/** Attributes that are text for people, so that an escaped field may stand in them. */
const TEXT_ATTRIBUTES = words('alt title aria-label');

/** The tags of `html`, a text with stand-ins, and what must not be. */
export function readHtml(html: string): { tags: Tag[]; faults: HtmlFault[] } {
  const reader = new Reader(html);
  reader.read();
  return { tags: reader.tags, faults: reader.faults };
}

class Reader {
  readonly tags: Tag[] = [];
  readonly faults: HtmlFault[] = [];
  readonly #html: string;
  /** Where fields may stand. */
  readonly #open: [start: number, end: number][] = [];
  /** What comes after this could not be read, and is not judged. */
  #end: number;

  constructor(html: string) {
    this.#html = html;
    this.#end = html.length;
  }

  read(): void {
    let offset = 0;
    while (offset < this.#end) {
      const next = this.#html.indexOf('<', offset);
      const end = next < 0 ? this.#html.length : next;
      this.#open.push([offset, end]);
      if (next < 0) break;
      offset = this.#markup(next);
    }
    let place = 0;
    for (const { offset: at, length } of standInsOf(this.#html)) {
      if (at >= this.#end) break;
      // Both are in the order of the text.
      while (place < this.#open.length && this.#open[place]![1] < at + length) place += 1;
      const isOpen = place < this.#open.length && this.#open[place]![0] <= at;
      if (!isOpen) this.#refuse(at, length, FIELD_PLACE);
    }
  }

  /** Reads what begins with `<` at `start`, and returns where it ends. */
  #markup(start: number): number {
    const rest = this.#html.slice(start, start + 9).toLowerCase();
    if (rest.startsWith('<!--')) return this.#comment(start);
    if (rest === '<!doctype') return this.#until('>', start, 'the doctype has no end.');
    const name = /^<\/?([a-z][a-z0-9]*)(?=[\s/>])/i.exec(this.#html.slice(start, start + 40))?.[1];
    if (!name) {
      this.#refuse(start, 1, 'this < begins no tag; expected &lt; where the character is meant.');
      return start + 1;
    }
    return this.#tag(start, name.toLowerCase(), this.#html[start + 1] === '/');
  }

  #comment(start: number): number {
    const end = this.#until('-->', start, 'the comment has no end.');
    // Browsers end a comment at these too, and would read the rest as a part of the mail.
    if (/^<!--(?:>|->)|--!>/.test(this.#html.slice(start, end))) {
      this.#refuse(start, 4, 'expected a comment of the form <!-- … -->.');
    }
    if (/href|src|<script/i.test(this.#html.slice(start, end))) {
      this.#refuse(
        start,
        4,
        'a comment must not hold links or images: nobody would check or count them.',
      );
    }
    return end;
  }

  #until(text: string, start: number, message: string): number {
    const end = this.#html.indexOf(text, start);
    if (end >= 0) return end + text.length;
    this.#refuse(start, 1, message);
    return this.#giveUp(start);
  }

  #tag(start: number, name: string, isClosing: boolean): number {
    if (!TAGS.has(name))
      this.#refuse(start, name.length + 1, `<${name}> is not allowed in a mail.`);
    const attributes: Attribute[] = [];
    let offset = start + name.length + (isClosing ? 2 : 1);
    for (;;) {
      const space = /^\s*\/?/.exec(this.#html.slice(offset, offset + 1000))![0];
      offset += space.length;
      if (this.#html[offset] === '>') break;
      const attribute = ATTRIBUTE.exec(this.#html.slice(offset, offset + 100));
      if (!attribute || (space === '' && attributes.length > 0)) {
        this.#refuse(
          offset,
          1,
          'expected an attribute with its value in quotes, or the end of the tag.',
        );
        return this.#giveUp(offset);
      }
      const quote = attribute[2]!;
      const valueAt = offset + attribute[0].length;
      const valueEnd = this.#html.indexOf(quote, valueAt);
      if (valueEnd < 0) {
        this.#refuse(offset, attribute[0].length, 'the value has no closing quote.');
        return this.#giveUp(offset);
      }
      const value = this.#html.slice(valueAt, valueEnd);
      attributes.push({ name: attribute[1]!.toLowerCase(), value, offset: valueAt });
      this.#attribute(name, attributes.at(-1)!, attributes);
      offset = valueEnd + 1;
    }
    this.tags.push({ name, offset: start, end: offset + 1, isClosing, attributes });
    return !isClosing && name === 'style' ? this.#style(offset + 1) : offset + 1;
  }

  #attribute(tag: string, attribute: Attribute, all: readonly Attribute[]): void {
    const { name, value, offset } = attribute;
    const length = Math.max(1, value.length);
    if (!ATTRIBUTES.has(name)) {
      this.#refuse(offset, length, `the attribute ${name} is not allowed in a mail.`);
    }
    if (all.filter((other) => other.name === name).length > 1) {
      this.#refuse(offset, length, `the attribute ${name} is given twice.`);
    }
    if (TEXT_ATTRIBUTES.has(name) || (name === 'href' && tag === 'a')) {
      this.#open.push([offset, offset + value.length]);
    } else if (name === 'href') {
      this.#refuse(offset, length, `href is for <a>, not for <${tag}>.`);
    }
    if (name === 'src' && !/^https:\/\/[a-z0-9]/i.test(value)) {
      this.#refuse(offset, length, 'an image needs a fixed https address.');
    }
    if (name === 'http-equiv' && value.toLowerCase() === 'refresh') {
      this.#refuse(offset, length, 'a mail must not send its reader elsewhere.');
    }
    if (name === 'style') this.#css(offset, value);
  }

  #style(start: number): number {
    const end = this.#html.slice(start).search(/<\/style\s*>/i);
    if (end < 0) {
      this.#refuse(start, 1, 'the style has no end.');
      return this.#giveUp(start);
    }
    this.#css(start, this.#html.slice(start, start + end));
    return start + end;
  }

  #css(offset: number, css: string): void {
    const fault = cssFault(css);
    if (fault) this.#refuse(offset + fault.offset, fault.length, fault.message);
  }

  /** Nothing more can be read from `offset` on. */
  #giveUp(offset: number): number {
    this.#end = offset;
    return this.#html.length;
  }

  #refuse(offset: number, length: number, message: string): void {
    if (this.faults.length >= PROBLEMS_MAX) return;
    this.faults.push({ offset, length, message });
  }
}

const FIELD_PLACE =
  'a field cannot stand here; expected it in text, in alt, title or aria-label, or a link helper in the href of an <a>.';
const ATTRIBUTE = /^([a-z][a-z0-9:-]*)\s*=\s*(["'])/i;

/** CSS that fetches or runs something; null where there is none. */
export function cssFault(css: string): HtmlFault | null {
  const found = /@import|expression\s*\(|javascript:|behavior\s*:|url\(\s*['"]?(?!https:)|\\/i.exec(
    css,
  );
  if (!found) return null;
  const message = `"${found[0]}" is not allowed in the style of a mail; expected plain rules, and images by https.`;
  return { offset: found.index, length: found[0].length, message };
}
