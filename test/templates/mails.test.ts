import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../domain/problem.ts';
import type { TemplateData } from '../../templates/data.ts';
import { checkTemplate } from '../../templates/freeze.ts';
import { loadTemplate, TEMPLATES_FOLDER } from '../../templates/load.ts';
import { openTemplate } from '../../templates/render.ts';
import { linksOf, URLS } from './template-builder.ts';

const entries = await readdir(TEMPLATES_FOLDER, { withFileTypes: true });
const names = entries
  .filter((entry) => entry.isDirectory() && entry.name !== 'partials')
  .map(({ name }) => name);

async function mail(name: string, changes: Partial<TemplateData> = {}) {
  const files = await loadTemplate(name);
  const source = { ...files, subject: 'News', preheader: 'What is new' };
  const { frozen, problems } = checkTemplate(source);
  expect(problems.map(formatProblem)).toEqual([]);
  return openTemplate(frozen!).render({ ...files.sample, ...changes }, URLS);
}

describe.each(names)('the mail %s', (name) => {
  it('is small, in one language, with tables for layout only and a text for every image', async () => {
    const { html } = await mail(name);
    // Gmail clips at 102 KiB.
    expect(Buffer.byteLength(html)).toBeLessThan(50_000);
    expect(html).toMatch(/^<!doctype html>\s*<html lang="en"/i);
    for (const [table] of html.matchAll(/<table[^>]*>/g)) {
      expect(table).toContain('role="presentation"');
    }
    for (const [image] of html.matchAll(/<img[^>]*>/g)) expect(image).toContain('alt="');
    expect(html.match(/<h1/g)).toHaveLength(1);
    expect(html).not.toMatch(/undefined|\[object|NaN|\{\{/);
  });

  it('has the same ways out in both parts', async () => {
    const { html, text } = await mail(name);
    const ways = (links: string[]) => new Set(links.filter((link) => !link.endsWith('.gif')));
    expect(ways(linksOf({ html: '', text }))).toEqual(ways(linksOf({ html, text: '' })));
    expect(text).toContain(URLS.unsubscribeUrl);
  });

  it('needs nothing of a person, no products and no offer', async () => {
    const { html, text } = await mail(name, { person: {}, products: [], offer: null });
    expect(text).not.toMatch(/undefined|\n{4}/);
    expect(html).not.toMatch(/undefined|Ada/);
  });
});

describe('the mail win-back', () => {
  it('reads well as a text', async () => {
    const { text } = await mail('win-back');
    expect(text).toMatchInlineSnapshot(`
      "Ada, it has been a while.

      We have kept an eye on what you like, and there is news in Coffee.
      Have a look when you have a quiet minute: https://t.example/c/TOKEN/0

      A WELCOME BACK: 10 % off your next order
      Your code at the checkout: WELCOME10
      Valid until December 31, 2026.

      PICKED FOR YOU

      * Highland espresso, whole beans, 1 kg (Coffee), €24.90
        https://t.example/c/TOKEN/pCOF-101
      * Hand grinder with steel burrs (Coffee), €79.00
        https://t.example/c/TOKEN/pCOF-207
      * Enamel kettle, 1 litre (Kitchen), €45.50
        https://t.example/c/TOKEN/pKIT-042
      * Almond biscotti (Bakery), €6.80
        https://t.example/c/TOKEN/pBAK-310

      --
      You get this mail because you agreed to hear from Kairos Sample Shop.
      Unsubscribe with one click: https://t.example/u/TOKEN
      Kairos Sample Shop, 1 Market Street, 10115 Berlin, Germany
      "
    `);
  });
});
