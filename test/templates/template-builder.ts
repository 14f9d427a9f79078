import { formatProblem } from '../../domain/problem.ts';
import type { TemplateData } from '../../templates/data.ts';
import { checkTemplate, type TemplateSource } from '../../templates/freeze.ts';
import { openTemplate, type RenderUrls } from '../../templates/render.ts';

export const URLS: RenderUrls = {
  linkPrefix: 'https://t.example/c/TOKEN/',
  openUrl: 'https://t.example/o/TOKEN.gif',
  unsubscribeUrl: 'https://t.example/u/TOKEN',
};

export function someData(changes: Partial<TemplateData> = {}): TemplateData {
  return {
    person: { firstName: 'Ada', name: 'Ada Example', country: 'GB' },
    shop: {
      name: 'Shop',
      url: 'https://shop.example/',
      postalAddress: '1 Street, Town',
      currency: 'EUR',
    },
    campaign: { id: 'c', name: 'Campaign' },
    variant: { id: 'v' },
    offer: { id: 'o', label: 'Ten off', code: 'TEN', expires: '2026-12-31' },
    products: [
      { sku: 'A-1', title: 'Apple', price: 1.5, category: 'Fruit', url: null },
      { sku: 'B 2', title: 'Bread & butter', price: 1234, category: 'Bakery', url: null },
    ],
    score: 0.2,
    reason: 'you like fruit',
    ...changes,
  };
}

/** The smallest template that passes, around `html` and `text`. */
export function aTemplate(changes: Partial<TemplateSource> = {}): TemplateSource {
  const { html = '', text = '', ...others } = changes;
  return {
    id: 'test',
    subject: 'News',
    sample: someData(),
    html: `<html><body>${html}<a href="{{unsubscribeUrl}}">Stop</a> {{shop.postalAddress}}</body></html>`,
    text: `${text}\n{{unsubscribeUrl}} {{shop.postalAddress}}`,
    ...others,
  };
}

/** Each problem as a person reads it, without the excerpt. */
export function problemsOf(changes: Partial<TemplateSource>): string[] {
  return checkTemplate(aTemplate(changes)).problems.map((problem) =>
    formatProblem({ ...problem, excerpt: '' }),
  );
}

/** Renders what the builder makes; throws where it does not pass. */
export function rendered(
  changes: Partial<TemplateSource>,
  data: Partial<TemplateData> = {},
  urls: Partial<RenderUrls> = {},
) {
  const { frozen, problems } = checkTemplate(aTemplate(changes));
  if (!frozen) throw new Error(problems.map(formatProblem).join('\n'));
  const mail = openTemplate(frozen).render(someData(data), { ...URLS, ...urls });
  const inner = /<body>(.*?)<a href="https:\/\/t\.example\/u\/TOKEN">Stop/s.exec(mail.html);
  return { ...mail, frozen, inner: inner?.[1] ?? '', line: mail.text.split('\n')[0]! };
}

/** Where the links of a mail lead: those of the HTML, and what a mail program makes a link of in the text. */
export function linksOf({ html, text }: { html: string; text: string }): string[] {
  const hrefs = [...html.matchAll(/\shref\s*=\s*["']?([^"'>\s]*)/gi)].map(([, href]) => href!);
  const visible = html.replaceAll(/<[^>]*>/g, ' ');
  const automatic = [
    ...`${text} ${visible}`.matchAll(
      /(?:https?:\/\/|www\.)[^\s<>"]+|[a-z0-9-]+\.(?:com|net|org)\b/gi,
    ),
  ];
  return [...hrefs, ...automatic.map(([address]) => address)].toSorted();
}
