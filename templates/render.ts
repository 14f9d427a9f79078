import { KairosError } from '../domain/errors.ts';
import { LIMITS } from '../domain/limits.ts';
import type { LocatedProblem } from '../domain/problem.ts';
import { contextBuilder, missingFields, type Context, type TemplateData } from './data.ts';
import { createEngine, type Render, type RenderVariables } from './engine.ts';
import { lintTemplate } from './lint.ts';
import { flatSource } from './source.ts';

/**
 * A template as it is approved, hashed and kept with the campaign: partials and CSS set in, links numbered. Plain JSON,
 * so that the sender renders what was approved, whatever the files have become.
 */
export interface FrozenTemplate {
  readonly version: 1;
  readonly id: string;
  /** BCP 47; how prices and dates are written. */
  readonly locale: string;
  readonly subject: string;
  readonly preheader: string;
  readonly html: string;
  readonly text: string;
  /** Target of each numbered link. */
  readonly links: readonly string[];
  /** Every field that it reads. */
  readonly fields: readonly string[];
  /** Those without which a mail cannot be rendered, and which a person may lack. */
  readonly fieldsWithoutFallback: readonly string[];
  /** SHA-256 over the canonical JSON of all of the above. */
  readonly hash: string;
}

export interface RenderUrls {
  /** What the number of a link is appended to, with its slash: `https://…/c/<token>/`. */
  readonly linkPrefix: string;
  /** Address of the open pixel; null leaves it out. */
  readonly openUrl: string | null;
  readonly unsubscribeUrl: string;
}

export interface RenderedMail {
  readonly subject: string;
  readonly preheader: string;
  readonly html: string;
  readonly text: string;
}

export interface CompiledTemplate {
  readonly frozen: FrozenTemplate;
  /**
   * Renders one mail. Throws TEMPLATE_FIELD_MISSING where the data lacks a field without a fallback, HEADER_INVALID
   * where the subject or preheader has control characters, TEMPLATE_INVALID where a part grows too large.
   */
  render(data: TemplateData, urls: RenderUrls): RenderedMail;
}

/**
 * Prepares a frozen template for rendering; a few milliseconds, once a campaign and variant. `newline` is how the lines
 * of the template's own text end: mails go out with CRLF.
 */
export function openTemplate(
  frozen: FrozenTemplate,
  newline: '\n' | '\r\n' = '\n',
): CompiledTemplate {
  const engines = {
    html: createEngine(frozen.locale, 'html'),
    text: createEngine(frozen.locale, 'text'),
  };
  const compile = (part: 'subject' | 'preheader' | 'html' | 'text'): Render => {
    // Checked again: what is kept in a database is data, and data must not become code.
    checkFrozen(frozen.id, part, frozen[part]);
    const source = frozen[part].replaceAll(/\r\n|\r|\n/g, newline);
    // What has no mustache is the same for everyone.
    return source.includes('{{')
      ? engines[part === 'html' ? 'html' : 'text'].compile(source)
      : () => source;
  };
  const [subject, preheader] = [compile('subject'), compile('preheader')];
  const [html, text] = [compile('html'), compile('text')];
  const contextOf = contextBuilder(frozen.fields);

  function renderParts(context: Context, urls: RenderUrls): RenderedMail {
    const variables: RenderVariables & { preheader: string } = { ...urls, preheader: '' };
    const shown = {
      subject: headerText(subject(context, variables), frozen.id, 'subject'),
      preheader: headerText(preheader(context, variables), frozen.id, 'preheader'),
    };
    variables.preheader = shown.preheader;
    return {
      ...shown,
      html: sized(html(context, variables), frozen.id, 'html'),
      text: sized(text(context, variables), frozen.id, 'text'),
    };
  }

  return {
    frozen,
    render(data, urls) {
      try {
        return renderParts(contextOf(data), urls);
      } catch (error) {
        if (error instanceof KairosError) throw error;
        throw missingError(frozen, data);
      }
    },
  };
}

function checkFrozen(id: string, part: string, text: string): void {
  const problems: LocatedProblem[] = [];
  const name = `${id} (frozen ${part})`;
  lintTemplate(flatSource([{ text, file: { name, text }, offset: 0 }]), problems, true);
  if (problems.length > 0) {
    throw new KairosError('TEMPLATE_INVALID', `${name}: ${problems[0]!.message}`, { problems });
  }
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Promise of every header: no control character (RFC 5322 §2.2), whatever was merged into it. */
function headerText(text: string, id: string, what: string): string {
  if (!CONTROL.test(text)) return text;
  throw new KairosError(
    'HEADER_INVALID',
    `the ${what} of template ${id} has a control character; expected one line of text`,
  );
}

function sized(text: string, id: string, part: string): string {
  // UTF-8 needs at most three bytes for each UTF-16 unit, so most texts need no counting.
  const most = LIMITS.renderedBytesMax;
  if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return text;
  throw new KairosError(
    'TEMPLATE_INVALID',
    `the ${part} of template ${id} is larger than ${most} bytes; show fewer products or less text`,
  );
}

/** Names fields, never values: Handlebars' own message could hold what a person wrote. */
function missingError(frozen: FrozenTemplate, data: TemplateData): KairosError {
  const missing = missingFields(frozen.fieldsWithoutFallback, data);
  const named = missing.length > 0 ? missing.join(', ') : 'a field or a value that can be shown';
  return new KairosError(
    'TEMPLATE_FIELD_MISSING',
    `template ${frozen.id} needs ${named}, which the data lacks; give it a fallback`,
    { template: frozen.id, missing },
  );
}
