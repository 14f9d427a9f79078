import Handlebars from 'handlebars';
import { describe, expect, it } from 'vitest';
import { KairosError } from '../../domain/errors.ts';
import { compileTemplate } from '../../templates/compile.ts';
import { checkTemplate } from '../../templates/freeze.ts';
import { linkTarget } from '../../templates/links.ts';
import { openTemplate, type FrozenTemplate } from '../../templates/render.ts';
import { aTemplate, problemsOf, rendered, someData, URLS } from './template-builder.ts';

const failureOf = (work: () => unknown): KairosError => {
  try {
    work();
  } catch (error) {
    if (error instanceof KairosError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('fields', () => {
  it('are escaped in HTML, and not in text, subject and preheader', () => {
    const mail = rendered(
      {
        html: '<p title="{{person.name}}">{{person.name}}</p>',
        text: '{{person.name}}',
        subject: 'For {{person.name}}',
        preheader: '{{person.name}} & more',
      },
      { person: { name: `O'Neil & "Sons"` } },
    );
    const escaped = 'O&#x27;Neil &amp; &quot;Sons&quot;';
    expect(mail.inner).toContain(`<p title="${escaped}">${escaped}</p>`);
    expect(mail.line).toBe(`O'Neil & "Sons"`);
    expect(mail.subject).toBe(`For O'Neil & "Sons"`);
    expect(mail.preheader).toBe(`O'Neil & "Sons" & more`);
    expect(mail.html).toContain(
      `<div style="display:none;max-height:0;overflow:hidden;mso-hide:all" aria-hidden="true">${escaped} &amp; more`,
    );
  });

  it.each([
    ['{{fallback person.firstName "there"}}', {}, 'Ada'],
    ['{{fallback person.firstName "there"}}', { person: {} }, 'there'],
    ['{{fallback person.firstName "there"}}', { person: { firstName: ' ' } }, 'there'],
    ['{{fallback person.nick person.firstName "there"}}', {}, 'Ada'],
    ['{{upper-first (fallback person.x "élan")}}', {}, 'Élan'],
    ['{{#if person.city}}in {{person.city}}{{else}}here{{/if}}', {}, 'here'],
    ['{{#if (and person.city person.name)}}{{person.city}}{{/if}}!', {}, '!'],
    ['{{#if (eq person.country "GB")}}Hello{{else}}Hallo{{/if}}', {}, 'Hello'],
    ['{{#if (gt score 0.1)}}warm{{else if (lt score 0.1)}}cold{{/if}}', {}, 'warm'],
    ['{{#if (not (or person.a person.b))}}none{{/if}}', {}, 'none'],
    ['{{#unless offer}}no offer{{else}}{{offer.label}}{{/unless}}', {}, 'Ten off'],
    ['{{#unless offer}}no offer{{else}}{{offer.label}}{{/unless}}', { offer: null }, 'no offer'],
    ['{{#if offer.code}}{{offer.code}}{{else}}-{{/if}}', { offer: null }, '-'],
    ['{{#with offer as |o|}}{{o.label}} {{../shop.name}}{{/with}}', {}, 'Ten off Shop'],
    ['{{#each products}}{{@index}}{{title}};{{/each}}', {}, '0Apple;1Bread & butter;'],
    [
      '{{#each products as |p|}}{{p.title}} for {{../shop.name}};{{/each}}',
      {},
      'Apple for Shop;Bread & butter for Shop;',
    ],
    ['{{#each products}}{{title}}{{else}}nothing{{/each}}', { products: [] }, 'nothing'],
    ['{{#if products}}{{products.0.title}}{{/if}}', {}, 'Apple'],
    ['{{#each products}}{{money price}} {{/each}}', {}, '€1.50 €1,234.00 '],
    ['{{#if offer.expires}}{{date offer.expires}}{{/if}}', {}, 'December 31, 2026'],
    [
      '{{#if person.[loyalty tier]}}{{person.[loyalty tier]}}{{/if}}',
      { person: { 'loyalty tier': 'gold' } },
      'gold',
    ],
    ['{{#each products}}{{#if @first}}{{title}}{{/if}}{{/each}}', {}, 'Apple'],
  ])('%s with %j gives "%s"', (text, data, expected) => {
    expect(rendered({ text }, data).line).toBe(expected);
  });

  it('are formatted in the language of the template', () => {
    const text =
      '{{#each products}}{{money price}} {{/each}}{{#if offer.expires}}{{date offer.expires}}{{/if}}';
    const { line } = rendered({ text, locale: 'de' });
    expect(line.replaceAll('\u00a0', ' ')).toBe('1,50 € 1.234,00 € 31. Dezember 2026');
  });

  it('that are exact decimals of a database are amounts', () => {
    const product = { ...someData().products[0]!, price: '19.90' as unknown as number };
    const text = '{{#each products}}{{money price}}{{/each}}';
    expect(rendered({ text }, { products: [product] }).line).toBe('€19.90');
  });

  it('keep the HTML in ASCII, so that it is quick to encode', () => {
    const html =
      '<style>.a::before { content: "–" }</style><p>Grüße – {{#each products}}{{money price}}{{/each}}</p>';
    const { html: mail } = rendered({ html });
    expect(mail).toContain('<p>Gr&#252;&#223;e &#8211; &#8364;1.50&#8364;1,234.00</p>');
    expect(mail.replace(/<style>.*?<\/style>/s, '')).toMatch(/^[\x20-\x7e\n]*$/);
  });
});

describe('a missing field', () => {
  it('is listed when it has no fallback, and only then', () => {
    const { frozen } = rendered(
      {
        text: '{{person.city}} {{fallback person.a "x"}} {{#if person.b}}{{person.b}}{{/if}} {{shop.name}}',
        subject: '{{person.title}}',
      },
      { person: { city: 'Bath', title: 'Dr' } },
    );
    expect(frozen.fieldsWithoutFallback).toEqual(['person.city', 'person.title']);
    expect(frozen.fields).toContain('person.b');
  });

  it('fails the mail, and is named without any value', () => {
    const template = compileTemplate(aTemplate({ html: 'Hi {{person.name}} of {{person.city}}' }));
    for (const city of [undefined, null, '', '  ', 'x\ny', { a: 1 }, ['x']]) {
      const data = someData({ person: { name: 'Secret Name', city: city as string } });
      const failure = failureOf(() => template.render(data, URLS));
      expect(failure).toMatchObject({
        code: 'TEMPLATE_FIELD_MISSING',
        message: 'template test needs person.city, which the data lacks; give it a fallback',
        details: { template: 'test', missing: ['person.city'] },
      });
    }
  });

  it('of an offer is found when the campaign is checked', () => {
    const text = 'x {{offer.label}}\n{{#if offer}}{{offer.code}}{{/if}}';
    expect(problemsOf({ text, offer: null })).toEqual([
      "templates/test/text.hbs:1:5: the variant's offer has no such field; expected it inside {{#if offer}}…{{/if}}.",
    ]);
    expect(problemsOf({ text, offer: { id: 'o', label: 'Ten off' } })).toEqual([
      "templates/test/text.hbs:2:16: the variant's offer has no such field; expected it inside {{#if offer.code}}…{{/if}}.",
    ]);
    expect(problemsOf({ text, offer: { id: 'o', label: 'Ten off', code: 'TEN' } })).toEqual([]);
  });
});

describe('links', () => {
  it('become numbers of a table, the same target the same number in both parts', () => {
    const mail = rendered({
      html: '<a href="https://shop.example/a?x=1&amp;y=2">a</a><a href="/b">b</a><a href="{{link "/b"}}">b</a>',
      text: 'See https://shop.example/a?x=1&y=2, or (http://other.example/c).',
    });
    expect(mail.frozen.links).toEqual([
      'https://shop.example/b',
      'https://shop.example/a?x=1&y=2',
      'http://other.example/c',
    ]);
    expect([...mail.inner.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      'https://t.example/c/TOKEN/1',
      'https://t.example/c/TOKEN/0',
      'https://t.example/c/TOKEN/0',
    ]);
    expect(mail.line).toBe('See https://t.example/c/TOKEN/1, or (https://t.example/c/TOKEN/2).');
  });

  it('of products carry the number of the product, and lead back to it', () => {
    const mail = rendered({
      html: '{{#each products}}<a href="{{productLink sku}}">{{title}}</a>{{/each}}',
      text: '{{#each products}}{{productLink sku}} {{/each}}',
    });
    expect(mail.line).toBe('https://t.example/c/TOKEN/pA-1 https://t.example/c/TOKEN/pB%202 ');
    expect(mail.inner).toContain('href="https://t.example/c/TOKEN/pB%202"');
    expect(linkTarget(mail.frozen.links, 'pB%202')).toEqual({ kind: 'product', sku: 'B 2' });
  });

  it('of a path lead into the shop that sends', () => {
    const changes = { html: '<a href="/sale">Sale</a>', shopUrl: 'https://real.example/en/' };
    expect(rendered(changes).frozen.links).toEqual(['https://real.example/sale']);
  });

  it('by mail, by telephone and within the mail are left as they are', () => {
    const html =
      '<a href="mailto:a@b.example">a</a><a href="tel:+49-30-1">b</a><a href="#top">c</a>';
    const mail = rendered({ html });
    expect(mail.inner).toContain(html);
    expect(mail.frozen.links).toEqual([]);
  });

  it('that are not in the table lead nowhere', () => {
    const links = ['https://shop.example/'];
    expect(linkTarget(links, '0')).toEqual({ kind: 'url', url: 'https://shop.example/' });
    for (const ref of ['1', '-1', '00', '0.0', 'length', '__proto__', '', 'p', 'p%', 'p/x', 'x']) {
      expect(linkTarget(links, ref)).toBeNull();
    }
  });

  it('are joined by the open pixel, where there is an address for it', () => {
    expect(rendered({}).html).toMatch(
      /<img src="https:\/\/t\.example\/o\/TOKEN\.gif" width="1" height="1" alt=""[^>]*><\/body>/,
    );
    expect(rendered({}, {}, { openUrl: null }).html).not.toContain('<img');
  });
});

describe('CSS', () => {
  it('is set in once, keeps media queries, and leaves every field at its place', () => {
    const mail = rendered({
      html: '<table><tr>{{#each products}}<td class="a" title="{{title}}">{{title}}</td>{{/each}}</tr></table>',
      css: '.a { color: #333333 }\n@media (max-width: 480px) { .a { color: #000000 !important } }',
    });
    expect(mail.inner).toContain('<td class="a" title="Apple" style="color: #333333;">Apple</td>');
    expect(mail.html).toContain('@media (max-width: 480px)');
  });
});

describe('partials', () => {
  const partials = {
    html: {
      layout: '<html>\n<body>\n  {{> body}}\n  {{> footer}}\n</body>\n</html>\n',
      footer: '<a href="{{unsubscribeUrl}}">Stop</a> {{shop.postalAddress}}',
      button: '<a href="{{link href}}" title="{{label}}">{{label}}</a>',
      wrong: '<p>\n  {{shop.nmae}}</p>',
      circle: '{{> circle}}',
      row: '<p>{{title}} {{#if note}}{{note}}{{/if}}</p>',
    },
    text: { footer: '{{unsubscribeUrl}}\n{{shop.postalAddress}}\n' },
  };
  const layout = (html: string) => ({ ...aTemplate({ partials }), html, text: '{{> footer}}' });
  const problems = (html: string) =>
    checkTemplate(layout(html)).problems.map(
      ({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`,
    );

  it('are set in with their values, around it the layout', () => {
    const html =
      '{{> button href="/sale" label="Now & here"}}{{#each products}}{{> row note=../reason}}{{/each}}';
    expect(compileTemplate(layout(html)).render(someData(), URLS).html).toContain(
      '<a href="https://t.example/c/TOKEN/0" title="Now &amp; here">Now &amp; here</a><p>Apple you like fruit</p>',
    );
  });

  it('have their own places in problems', () => {
    expect(problems('{{> wrong}}')).toEqual([
      'templates/partials/wrong.html.hbs:2:5: there is no field "nmae" of shop; did you mean "name"?',
    ]);
    expect(problems('<p>\n{{> nothing}}</p>')).toEqual([
      'templates/test/html.hbs:2:1: there is no partial "nothing" in templates/partials/.',
    ]);
    expect(problems('{{> circle}}')).toEqual([
      'templates/partials/circle.html.hbs:1:1: partials nest deeper than 6; is there a circle?',
    ]);
  });
});

describe('a frozen template', () => {
  const frozen = (changes = {}): FrozenTemplate => checkTemplate(aTemplate(changes)).frozen!;

  it('renders the same after a way through JSON', () => {
    const first = frozen({ html: '{{#each products}}<p>{{title}}</p>{{/each}}' });
    const again = JSON.parse(JSON.stringify(first)) as FrozenTemplate;
    expect(openTemplate(again).render(someData(), URLS)).toEqual(
      openTemplate(first).render(someData(), URLS),
    );
  });

  it('has another hash when anything in it changes', () => {
    const hashes = [
      frozen(),
      frozen({ subject: 'Other' }),
      frozen({ preheader: 'Other' }),
      frozen({ css: 'a { color: #112233 }' }),
      frozen({ text: 'Other' }),
      frozen({ locale: 'de' }),
      frozen({ html: '<a href="/a">x</a>' }),
      frozen({ html: '<a href="/b">x</a>' }),
    ].map(({ hash }) => hash);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(frozen().hash).toBe(hashes[0]);
  });

  it('gives what an ordinary render by Handlebars gives', () => {
    const { text } = frozen({
      text: '{{#each products}}{{#if @first}}{{title}}{{else}}{{../shop.name}}{{/if}}, {{/each}}{{#with offer}}{{label}}{{/with}}',
    });
    const ordinary = Handlebars.compile(text, { noEscape: true });
    const data = someData();
    const variables = { root: data, ...URLS };
    const opened = openTemplate(frozen({ text: text.split('\n')[0]!.replace('{{@', '{{') }));
    const fast = opened.render(data, URLS).text.split('\n')[0];
    expect(fast).toBe(ordinary(data, { data: variables }).split('\n')[0]);
    // And a failed render leaves nothing behind for the next one.
    expect(() => opened.render(someData({ products: [null as never] }), URLS)).toThrow(KairosError);
    expect(opened.render(data, URLS).text.split('\n')[0]).toBe(fast);
  });

  it('refuses what became too large', () => {
    const template = compileTemplate(aTemplate({ text: '{{#each products}}{{title}}{{/each}}' }));
    const product = { ...someData().products[0]!, title: 'x'.repeat(10_000) };
    const data = someData({ products: Array.from({ length: 60 }, () => product) });
    expect(failureOf(() => template.render(data, URLS)).message).toBe(
      'the text of template test is larger than 500000 bytes; show fewer products or less text',
    );
  });
});

describe('a marketing mail', () => {
  it('must let its reader unsubscribe, and name a postal address, in both parts', () => {
    const bare = { ...aTemplate(), html: '<html><body>x</body></html>', text: 'x' };
    const messages = checkTemplate(bare).problems.map(({ file, message }) => `${file}: ${message}`);
    expect(messages).toMatchInlineSnapshot(`
      [
        "templates/test/html.hbs: a marketing mail needs a way to unsubscribe; expected {{unsubscribeUrl}}, as the partial footer has it.",
        "templates/test/html.hbs: a marketing mail shows a postal address; expected {{shop.postalAddress}}, as the partial footer has it.",
        "templates/test/text.hbs: a marketing mail needs a way to unsubscribe; expected {{unsubscribeUrl}}, as the partial footer has it.",
        "templates/test/text.hbs: a marketing mail shows a postal address; expected {{shop.postalAddress}}, as the partial footer has it.",
      ]
    `);
    expect(checkTemplate({ ...bare, kind: 'transactional' }).problems).toEqual([]);
    const hidden = '{{#if reason}}{{unsubscribeUrl}} {{shop.postalAddress}}{{/if}}';
    const under = checkTemplate({ ...bare, html: aTemplate().html, text: hidden }).problems;
    expect(under).toHaveLength(2);
  });
});
