import { mkdtempSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A mail of about 20 KiB on the wire with 15 tracked links, personal in both parts; the peers send the same. */
export const LINKS = 15;

const WORDS =
  'Soft light falls on the table where the new cups stand in a row, each of them turned and glazed by hand in small series';

function paragraph(i: number): string {
  return `${WORDS} ${i}; ${WORDS.toLowerCase()} and ready to be sent to you within two days.`;
}

function html(): string {
  const blocks = Array.from(
    { length: LINKS },
    (_, i) => `<tr><td class="block"><h2>Offer ${i + 1} for {{fallback person.firstName "you"}}</h2>
<p>${paragraph(i)}</p><p>${paragraph(i + 100)}</p>
<p><a class="more" href="https://shop.example/offers/${i + 1}?from=letter">See offer ${i + 1}</a></p></td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Letter</title></head><body>
<table role="presentation" width="100%"><tr><td><h1>Hello {{fallback person.firstName "there"}}</h1>
<p>You are in {{fallback person.city "your town"}}, tier {{fallback person.tier "new"}}, and live in {{fallback person.country "reach"}}.</p></td></tr>
${blocks.join('\n')}
<tr><td><p>{{shop.postalAddress}}. <a href="{{unsubscribeUrl}}">Unsubscribe</a></p></td></tr></table></body></html>`;
}

function text(): string {
  const blocks = Array.from(
    { length: LINKS },
    (_, i) =>
      `Offer ${i + 1}: ${paragraph(i)}\n{{link "https://shop.example/offers/${i + 1}?from=letter"}}`,
  );
  return `Hello {{fallback person.firstName "there"}},\n\n${blocks.join('\n\n')}\n\n{{shop.postalAddress}}\nUnsubscribe: {{unsubscribeUrl}}\n`;
}

const SAMPLE = {
  person: { firstName: 'Maria', country: 'DE', city: 'Berlin', tier: 'gold' },
  shop: {
    name: 'Bench',
    url: 'https://shop.example/',
    postalAddress: 'Bench, 1 Street, 10115 Berlin',
    currency: 'EUR',
  },
  campaign: { id: 'bench', name: 'Bench' },
  variant: { id: 'only' },
  offer: null,
  products: [],
};

export interface BenchCampaigns {
  templatesFolder: string;
  /** A campaign file with an id of its own, over the one template. */
  file(id: string): string;
}

/** Writes the template once and campaign files on demand, in a folder of the run. */
export function benchCampaigns(): BenchCampaigns {
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-campaign-'));
  const template = join(folder, 'templates', 'bench');
  mkdirSync(template, { recursive: true });
  writeFileSync(join(template, 'html.hbs'), html());
  writeFileSync(join(template, 'text.hbs'), text());
  writeFileSync(
    join(template, 'style.css'),
    'h1 { font-size: 22px } h2 { font-size: 18px; color: #333 } p { line-height: 1.5 } .more { color: #06c; font-weight: bold }',
  );
  writeFileSync(join(template, 'sample.json'), JSON.stringify(SAMPLE));
  return {
    templatesFolder: join(folder, 'templates'),
    file(id) {
      const path = join(folder, `${id}.yaml`);
      writeFileSync(
        path,
        `id: ${id}
name: Delivery bench
audience:
  segment: { trait: consent, is: eq, value: true }
holdout: 0
variants:
  - id: only
    template: bench
    subject: "{{fallback person.firstName 'Hello'}}, this is for you"
from: { name: Bench, address: news@bench.test }
goal: { event: Order Completed, window: 1m }
`,
      );
      return path;
    },
  };
}
