import { createHash } from 'node:crypto';
import { canonicalJson, deepFreeze } from '../domain/canonical.ts';
import { KairosError } from '../domain/errors.ts';
import { problemAt, type LocatedProblem } from '../domain/problem.ts';
import { missingFields, sampleFaults, type TemplateData } from './data.ts';
import { freezeHtml } from './freeze-html.ts';
import { freezeText } from './freeze-text.ts';
import { LinkTable } from './links.ts';
import { analysePart, writtenBack, type Part } from './part.ts';
import { openTemplate, type FrozenTemplate } from './render.ts';
import { MUSTACHES_MAX, type SourceFile } from './source.ts';

/** A template as the marketer wrote it, with the texts of the campaign's variant. */
export interface TemplateSource {
  readonly id: string;
  readonly html: string;
  readonly text: string;
  readonly css?: string;
  readonly subject: string;
  readonly preheader?: string;
  /** Data to show it with; the check renders with it. */
  readonly sample: TemplateData;
  /** Shared pieces by name, for HTML and for text. */
  readonly partials?: Readonly<Record<'html' | 'text', Readonly<Record<string, string>>>>;
  /** Marketing mails must show a postal address and a way to unsubscribe; the default. */
  readonly kind?: 'marketing' | 'transactional';
  /** BCP 47; `en` by default. */
  readonly locale?: string;
  /** What relative links are resolved against; the sample's shop by default. */
  readonly shopUrl?: string;
  /** The variant's offer, null for none; the sample's by default. */
  readonly offer?: TemplateData['offer'];
}

/** Checks a template and freezes it; null with at least one problem where something is wrong. */
export function checkTemplate(source: TemplateSource): {
  frozen: FrozenTemplate | null;
  problems: LocatedProblem[];
} {
  const problems: LocatedProblem[] = [];
  const parts = analyse(source, problems);
  if (!parts) return { frozen: null, problems };
  const links = new LinkTable();
  const shopUrl = source.shopUrl ?? source.sample.shop.url;
  const html = freezeHtml(parts.html, {
    css: fileOf(source, 'style.css', source.css ?? ''),
    hasPreheader: parts.preheader.flat.text !== '',
    links,
    shopUrl,
    problems,
  });
  const text = freezeText(parts.text, { links, shopUrl, problems });
  for (const part of [parts.subject, parts.preheader]) noLinks(part, problems);
  if (source.kind !== 'transactional') {
    for (const part of [parts.html, parts.text]) checkLegal(part, problems);
  }
  checkOffer(source, parts, problems);
  for (const [part, content] of [
    [parts.html, html],
    [parts.text, text],
  ] as const) {
    if (content.split('{{').length - 1 <= MUSTACHES_MAX) continue;
    const message = `the mail has more than ${MUSTACHES_MAX} fields, helpers and links.`;
    problems.push(part.flat.problem(0, 1, message));
  }
  if (problems.length > 0) return { frozen: null, problems };
  const uses = Object.values(parts).flatMap((part) => part.lint.uses);
  const content = {
    version: 1 as const,
    id: source.id,
    locale: source.locale ?? 'en',
    subject: writtenBack(parts.subject),
    preheader: writtenBack(parts.preheader),
    html,
    text,
    links: links.list(),
    fields: distinct(uses.map(({ field }) => field)),
    fieldsWithoutFallback: distinct(uses.filter(({ isSafe }) => !isSafe).map(({ field }) => field)),
  };
  const hash = createHash('sha256').update(canonicalJson(content)).digest('hex');
  const frozen = deepFreeze({ ...content, hash });
  tryOut(source, frozen, problems);
  return { frozen: problems.length > 0 ? null : frozen, problems };
}

/** Freezes a template; throws TEMPLATE_INVALID with the `problems` in its details where something is wrong. */
export function freezeTemplate(source: TemplateSource): FrozenTemplate {
  const { frozen, problems } = checkTemplate(source);
  if (frozen) return frozen;
  const { file, line, column, message } = problems[0]!;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  throw new KairosError(
    'TEMPLATE_INVALID',
    `template ${source.id}: ${file}:${line}:${column}: ${message}${more}`,
    { problems },
  );
}

type Parts = Readonly<Record<'subject' | 'preheader' | 'html' | 'text', Part>>;

function fileOf(source: TemplateSource, name: string, text: string): SourceFile {
  return { name: `templates/${source.id}/${name}`, text: text.replaceAll(/\r\n?/g, '\n') };
}

/** Reads all four parts; null where one cannot be read, or the sample is none. */
function analyse(source: TemplateSource, problems: LocatedProblem[]): Parts | null {
  const files = {
    subject: fileOf(source, 'subject', source.subject),
    preheader: fileOf(source, 'preheader', source.preheader ?? ''),
    html: fileOf(source, 'html.hbs', source.html),
    text: fileOf(source, 'text.hbs', source.text),
  };
  const sample = fileOf(source, 'sample.json', '');
  for (const message of sampleFaults(source.sample)) {
    problems.push(problemAt(sample.name, '', { offset: 0, length: 1 }, message));
  }
  if (problems.length > 0) return null;
  const partials = source.partials;
  const [subject, preheader] = [files.subject, files.preheader].map((file) =>
    analysePart(file, {}, 'text', problems),
  );
  const text = analysePart(files.text, partials?.text ?? {}, 'text', problems);
  const html = analysePart(files.html, partials?.html ?? {}, 'html', problems);
  return subject && preheader && text && html ? { subject, preheader, text, html } : null;
}

function noLinks(part: Part, problems: LocatedProblem[]): void {
  for (const { offset, name } of part.lint.calls) {
    problems.push(part.flat.problem(offset, 2, `${name} cannot stand in a line of an inbox.`));
  }
}

/** What the law asks of every marketing mail (CAN-SPAM §5(a)(5), RFC 8058 for the header beside it). */
function checkLegal(part: Part, problems: LocatedProblem[]): void {
  if (!part.lint.calls.some(({ name, isAlways }) => name === 'unsubscribeUrl' && isAlways)) {
    const message =
      'a marketing mail needs a way to unsubscribe; expected {{unsubscribeUrl}}, as the partial footer has it.';
    problems.push(part.flat.problem(0, 1, message));
  }
  if (!part.lint.uses.some(({ field, isAlways }) => field === 'shop.postalAddress' && isAlways)) {
    const message =
      'a marketing mail shows a postal address; expected {{shop.postalAddress}}, as the partial footer has it.';
    problems.push(part.flat.problem(0, 1, message));
  }
}

/** Fields of an offer that this variant does not have. */
function checkOffer(source: TemplateSource, parts: Parts, problems: LocatedProblem[]): void {
  const data = { ...source.sample, offer: offerOf(source) };
  for (const part of Object.values(parts)) {
    for (const { field, isSafe, isInOffer, offset, length } of part.lint.uses) {
      if (isSafe || !field.startsWith('offer.') || (isInOffer && !data.offer)) continue;
      if (missingFields([field], data).length === 0) continue;
      const condition = data.offer ? field : 'offer';
      const message = `the variant's offer has no such field; expected it inside {{#if ${condition}}}…{{/if}}.`;
      problems.push(part.flat.problem(offset, length, message));
    }
  }
}

function offerOf(source: TemplateSource): TemplateData['offer'] {
  return source.offer === undefined ? source.sample.offer : source.offer;
}

/** Renders the sample, as it is and with all missing that may be: whoever launches has then seen no surprise. */
function tryOut(source: TemplateSource, frozen: FrozenTemplate, problems: LocatedProblem[]): void {
  const template = openTemplate(frozen);
  const urls = {
    linkPrefix: 'https://a.example/',
    openUrl: null,
    unsubscribeUrl: 'https://a.example',
  };
  const needed = frozen.fieldsWithoutFallback
    .filter((field) => field.startsWith('person.'))
    .map((field) => field.slice('person.'.length));
  // Whether people have such a field is for the campaign's check to count, not for the sample to show.
  const filled = Object.fromEntries(
    needed.map((name) => [name, source.sample.person[name] ?? 'x']),
  );
  const full: TemplateData = {
    ...source.sample,
    person: { ...source.sample.person, ...filled },
    offer: offerOf(source),
  };
  const { score: _score, reason: _reason, ...rest } = full;
  const bare: TemplateData = {
    ...(frozen.fieldsWithoutFallback.some((field) => !field.includes('.')) ? full : rest),
    person: filled,
    products: [],
  };
  for (const data of [full, bare]) {
    try {
      template.render(data, urls);
    } catch (error) {
      if (!(error instanceof KairosError)) throw error;
      const { name } = fileOf(source, 'sample.json', '');
      problems.push(problemAt(name, '', { offset: 0, length: 1 }, `${error.message}.`));
      return;
    }
  }
}

function distinct(fields: readonly string[]): string[] {
  return [...new Set(fields)].toSorted();
}
