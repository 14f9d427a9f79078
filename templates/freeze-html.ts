import juice from 'juice';
import { problemAt } from '../domain/problem.ts';
import { asciiHtml } from './engine.ts';
import { rewriteCalls, type FreezeContext } from './freeze-text.ts';
import { cssFault, readHtml, type Attribute } from './html.ts';
import { resolveTarget } from './links.ts';
import { Rewriting, type Part } from './part.ts';
import { PROBLEMS_MAX, type SourceFile } from './source.ts';
import { standInsOf } from './tokens.ts';

interface HtmlContext extends FreezeContext {
  readonly css: SourceFile;
  readonly hasPreheader: boolean;
}

/**
 * The HTML part as it is kept: checked for places where a field would be dangerous, links numbered, CSS inlined once
 * (1.8 ms each time otherwise), the preheader and the open pixel set in. '' where there are problems.
 */
export function freezeHtml(part: Part, context: HtmlContext): string {
  const before = context.problems.length;
  const refuse = (offset: number, length: number, message: string): void => {
    if (context.problems.length >= PROBLEMS_MAX) return;
    const at = part.standIns.offsetOf(offset);
    context.problems.push(part.flat.problem(at, length, message));
  };
  const { tags, faults } = readHtml(part.standIns.text);
  for (const { offset, length, message } of faults) refuse(offset, length, message);
  checkCss(context);
  const rewriting = new Rewriting(part);
  rewriteCalls(part, rewriting, context);
  const edits: { attribute: Attribute; text: string }[] = [];
  const linked = new Set<number>();
  for (const { name, isClosing, attributes } of tags) {
    for (const attribute of attributes) {
      if (standInsOf(attribute.value).some(({ index }) => part.tokens[index]?.kind !== 'value')) {
        refuse(attribute.offset, attribute.value.length, 'a block cannot stand in an attribute.');
      }
      if (name !== 'a' || isClosing || attribute.name !== 'href') continue;
      const text = href(attribute, rewriting, context, linked);
      if (typeof text === 'string') edits.push({ attribute, text });
      else refuse(attribute.offset, Math.max(1, attribute.value.length), text.fault);
    }
  }
  for (const { offset, index } of standInsOf(part.standIns.text)) {
    if (faults.length === 0 && rewriting.callAt(index) && !linked.has(index)) {
      refuse(offset, 2, 'a link helper belongs into the href of an <a>.');
    }
  }
  if (!tags.some(({ name }) => name === 'body')) {
    refuse(0, 1, 'the mail has no <body>; expected one, or the shared layout around it.');
  }
  if (context.problems.length > before) return '';
  return rewriting.finish(
    finishHtml(applied(part.standIns.text, edits), rewriting, context, refuse),
  );
}

/** What an href is replaced with, noting which link helpers stand in one; a sentence where it must not be. */
function href(
  { value }: Attribute,
  rewriting: Rewriting,
  { links, shopUrl }: HtmlContext,
  linked: Set<number>,
): string | { readonly fault: string } {
  const [first, ...more] = standInsOf(value);
  if (first) {
    const isAlone = more.length === 0 && first.length === value.length;
    if (!isAlone || !rewriting.callAt(first.index)) return { fault: HREF };
    linked.add(first.index);
    return value;
  }
  if (/^(?:mailto:[^\s]+|tel:\+?[\d-]+|#[\w-]*)$/.test(value)) return value;
  const target = resolveTarget(value.replaceAll('&amp;', '&'), shopUrl);
  return 'fault' in target ? target : rewriting.add(`{{@linkPrefix}}${links.add(target.url)}`);
}

const HREF =
  'a link cannot be put together from fields; expected a fixed address, {{link "…"}}, {{productLink sku}} or {{unsubscribeUrl}}.';

function checkCss({ css, problems }: HtmlContext): void {
  const braces = css.text.indexOf('{{');
  const fault =
    braces >= 0
      ? { offset: braces, length: 2, message: 'a style is fixed and has no fields.' }
      : cssFault(css.text);
  if (fault) problems.push(problemAt(css.name, css.text, fault, fault.message));
}

function applied(text: string, edits: readonly { attribute: Attribute; text: string }[]): string {
  let result = '';
  let reached = 0;
  for (const { attribute, text: inserted } of edits) {
    result += text.slice(reached, attribute.offset) + inserted;
    reached = attribute.offset + attribute.value.length;
  }
  return result + text.slice(reached);
}

function finishHtml(
  html: string,
  rewriting: Rewriting,
  context: HtmlContext,
  refuse: (offset: number, length: number, message: string) => void,
): string {
  // juice never fetches: only its juiceResources would.
  const inlined = juice(html, { extraCss: context.css.text, inlinePseudoElements: false });
  const { tags, faults } = readHtml(inlined);
  // The inliner may mend HTML that is not well formed; a field must then not have come to stand elsewhere.
  const order = (text: string): string =>
    standInsOf(text)
      .map(({ index }) => index)
      .join();
  if (faults.length > 0 || order(inlined) !== order(html)) {
    const why =
      faults[0]?.message ?? 'its tags are not closed in the order in which they were opened.';
    refuse(0, 1, `the CSS cannot be inlined into this HTML: ${why}`);
    return '';
  }
  const start = tags.find(({ name, isClosing }) => name === 'body' && !isClosing)!.end;
  const end =
    tags.findLast(({ name, isClosing }) => name === 'body' && isClosing)?.offset ?? inlined.length;
  const preheader = context.hasPreheader
    ? `<div style="display:none;max-height:0;overflow:hidden;mso-hide:all" aria-hidden="true">${rewriting.add('{{@preheader}}')}${PADDING}</div>`
    : '';
  const pixel =
    rewriting.add('{{#if @openUrl}}') +
    `<img src="${rewriting.add('{{@openUrl}}')}" width="1" height="1" alt="" style="display:block;border:0">` +
    rewriting.add('{{/if}}');
  return inAscii(
    inlined.slice(0, start) + preheader + inlined.slice(start, end) + pixel + inlined.slice(end),
  );
}

/** Keeps inboxes from showing the mail's first words behind the preheader. */
const PADDING = '&#847;&zwnj;&nbsp;'.repeat(30);

/** Without indentation, which is for the author: over 100,000 mails it is a gigabyte. And in ASCII, but for styles. */
function inAscii(html: string): string {
  const slim = /<pre[\s>]/i.test(html) ? html : html.replaceAll(/\s*\n\s*/g, '\n');
  return slim
    .split(/(<style[\s>].*?<\/style)/is)
    .map((piece, index) => (index % 2 === 1 ? piece : asciiHtml(piece)))
    .join('');
}
