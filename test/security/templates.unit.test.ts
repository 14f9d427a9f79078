import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KairosError } from '../../domain/errors.ts';
import type { TemplateData } from '../../templates/data.ts';
import { createEngine, parseTemplate } from '../../templates/engine.ts';
import { checkTemplate, freezeTemplate, type TemplateSource } from '../../templates/freeze.ts';
import { linkTarget } from '../../templates/links.ts';
import { loadTemplate } from '../../templates/load.ts';
import { openTemplate, type FrozenTemplate } from '../../templates/render.ts';
import {
  aTemplate,
  linksOf,
  problemsOf,
  rendered,
  someData,
  URLS,
} from '../templates/template-builder.ts';

/**
 * Advisories about templates, of the peers and of Handlebars: each is a test here, so that what happened to them does
 * not happen to us when a dependency or a rule changes.
 */
const refused = (source: string): void => {
  expect(problemsOf({ html: source }), `html: ${source}`).not.toEqual([]);
  expect(problemsOf({ text: source }), `text: ${source}`).not.toEqual([]);
  expect(problemsOf({ subject: source }), `subject: ${source}`).not.toEqual([]);
};

describe('advisories', () => {
  it('listmonk CVE-2025-49136: no helper reads the environment, the process or files', () => {
    for (const name of [
      'env',
      'expandenv',
      'process',
      'require',
      'include',
      'readFile',
      'log',
      'lookup',
      'helperMissing',
      'blockHelperMissing',
      'import',
    ]) {
      refused(`{{${name} "HOME"}}`);
      refused(`{{${name}}}`);
      refused(`{{fallback (${name} "HOME") "x"}}`);
      refused(`{{#${name} "HOME"}}x{{/${name}}}`);
    }
    refused('{{process.env.HOME}}');
    refused('{{#with process}}{{env.HOME}}{{/with}}');
  });

  it('Mautic CVE-2026-9558 and CVE-2026-115189, Handlebars CVE-2019-19919: no way to a prototype or a constructor', () => {
    for (const part of [
      'constructor',
      '__proto__',
      'prototype',
      '__defineGetter__',
      '__lookupGetter__',
      'toString',
      'valueOf',
      'hasOwnProperty',
      'call',
      'apply',
      'bind',
      'length',
    ]) {
      refused(`{{person.${part}}}`);
      refused(`{{person.[${part}]}}`);
      refused(`{{shop.name.${part}}}`);
      refused(`{{#with person.${part}}}x{{/with}}`);
      refused(`{{#with person as |p|}}{{p.${part}}}{{/with}}`);
      refused(`{{fallback person.${part} "x"}}`);
      refused(`{{${part}}}`);
      refused(`{{this.${part}}}`);
      refused(`{{@root.${part}}}`);
    }
    refused('{{#with "s" as |string|}}{{#with "e"}}{{string.sub.constructor}}{{/with}}{{/with}}');
    refused('{{#each this}}{{this}}{{/each}}');
  });

  it('Handlebars CVE-2021-23369 and CVE-2021-23383: strict and compat change nothing for hostile names', () => {
    refused(`{{#with (__lookupGetter__ "__proto__")}}x{{/with}}`);
    refused(`{{person.[a" + process.exit() + "]}}{{`);
    const quoted = `{{fallback person.[a" + (globalThis.pwned = 1) + "] "x"}}`;
    const { frozen } = checkTemplate(aTemplate({ text: quoted }));
    if (frozen) openTemplate(frozen).render(someData(), URLS);
    expect((globalThis as { pwned?: number }).pwned).toBeUndefined();
  });

  it('Handlebars CVE-2026-33937: a syntax tree posing as a template is not compiled', () => {
    const tree = {
      type: 'Program',
      body: [
        {
          type: 'MustacheStatement',
          path: { type: 'NumberLiteral', value: '1); globalThis.pwned = 1; (' },
          params: [],
          escaped: true,
        },
      ],
    };
    expect(() => parseTemplate(tree as never)).toThrow('a template is a string');
    expect(() => createEngine('en', 'html').compile(tree as never)).toThrow(
      'a template is a string',
    );
    const frozen = freezeTemplate(aTemplate());
    for (const part of ['html', 'text', 'subject', 'preheader'] as const) {
      expect(() => openTemplate({ ...frozen, [part]: tree } as never)).toThrow();
      expect(() => freezeTemplate({ ...aTemplate(), [part]: tree } as never)).toThrow();
    }
    expect((globalThis as { pwned?: number }).pwned).toBeUndefined();
  });

  it('Handlebars CVE-2026-33938 and CVE-2026-33940, bypass GHSA-8r5x-fm3f-whwj: no partial is chosen by data', () => {
    for (const partial of [
      '{{> (lookup person "name")}}',
      '{{> person.name}}',
      '{{> @partial-block}}',
      '{{> [a b]}}',
      '{{> ../x}}',
      '{{> "layout"}}',
      '{{#> layout}}x{{/layout}}',
      '{{#> @partial-block}}x{{/@partial-block}}',
      '{{> nowhere}}',
      '{{> constructor}}',
      '{{> button person}}',
    ]) {
      refused(partial);
    }
    // What partials there are is gone when a template is frozen: nothing is looked up by name at a render.
    expect(rendered({ text: '{{fallback person.x "x"}}' }).frozen.text).not.toContain('{{>');
  });

  it('Handlebars GHSA-p8wg-vrv2-v86f and GHSA-xw65-4hp5-5hc7: special properties of the data have no power', () => {
    const template = openTemplate(
      freezeTemplate(
        aTemplate({
          html: '<p>{{fallback person.name "none"}}</p>',
          text: '{{#each products}}{{title}}{{/each}}',
        }),
      ),
    );
    const hostile: unknown[] = [
      { toHTML: () => '<script>1</script>' },
      { toString: () => '<script>1</script>' },
      { type: 'Program', body: [] },
      { call: () => 'x', name: 'layout' },
      ['<script>1</script>'],
      () => '<script>1</script>',
      Symbol('x'),
      Object.create({ name: '<script>' }),
    ];
    for (const name of hostile) {
      const person = { name } as unknown as TemplateData['person'];
      const mail = template.render(someData({ person }), URLS);
      expect(mail.html).toContain('<p>none</p>');
      const products = [{ ...someData().products[0]!, title: name as string }];
      expect(() => template.render(someData({ products }), URLS)).toThrow(KairosError);
    }
    const polluted = JSON.parse(
      '{"__proto__": {"name": "<b>polluted</b>"}, "constructor": 1}',
    ) as TemplateData['person'];
    expect(template.render(someData({ person: polluted }), URLS).html).toContain('<p>none</p>');
    const inherited = Object.create({ name: 'inherited' }) as TemplateData['person'];
    expect(template.render(someData({ person: inherited }), URLS).html).toContain('<p>none</p>');
    expect(
      template.render(someData({ products: { length: 2, 0: {}, 1: {} } as never }), URLS).text,
    ).toMatch(/^\n/);
  });

  it('listmonk CVE-2026-21483, Postal 11419f9: nothing is shown without escaping, and no decorator changes that', () => {
    for (const raw of [
      '{{{person.name}}}',
      '{{&person.name}}',
      '{{~{person.name}~}}',
      '{{{{if offer}}}}{{person.name}}{{{{/if}}}}',
      '\\{{person.name}}',
      '{{* decorator}}',
      '{{#* inline "x"}}y{{/inline}}',
      '{{^person.name}}x{{/person.name}}',
      '{{#person.name}}x{{/person.name}}',
    ]) {
      refused(raw);
    }
  });

  it('Mautic CVE-2026-9559 and CVE-2026-115188: no name of a template leads out of its folder', async () => {
    for (const name of [
      '../secrets',
      '/etc/passwd',
      'a/../../b',
      'win-back/..',
      '.',
      '',
      'a\0b',
      'a\\b',
      'A',
      'win-back/html.hbs',
      'file:x',
    ]) {
      await expect(loadTemplate(name)).rejects.toMatchObject({ code: 'TEMPLATE_INVALID' });
    }
  });

  it('nodemailer GHSA-c7w3-x93f-qmm8 and its kin: no control character reaches a header', () => {
    const controls = [
      ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)),
      '\x7f',
      '\u0085',
      '\u2028',
      '\u2029',
    ];
    for (const control of controls) {
      const name = `Ann${control}Bcc: all@evil.example`;
      const subject = 'For {{fallback person.name "you"}} {{campaign.name}}';
      const data = { person: { name }, campaign: { id: 'c', name: `Sale${control}X-Evil: 1` } };
      const mail = rendered({ subject, preheader: subject }, data);
      expect(mail.subject).toBe('For you Sale X-Evil: 1');
      expect(mail.preheader).toBe(mail.subject);
    }
    const frozen = freezeTemplate(aTemplate());
    const withBreak = { ...frozen, subject: 'a\r\nBcc: all' };
    expect(() => openTemplate(withBreak).render(someData(), URLS)).toThrow(
      'the subject of template test has a control character',
    );
  });

  it('nodemailer CVE-2025-14874 and CVE-2026-90776: long input costs no more than its length', () => {
    const template = openTemplate(
      freezeTemplate(aTemplate({ html: '{{fallback person.name "x"}} {{campaign.name}}' })),
    );
    const timed = (text: string): number => {
      const before = process.cpuUsage();
      template.render(
        someData({ person: { name: text }, campaign: { id: 'c', name: text } }),
        URLS,
      );
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    for (const unit of ['a.', 'a@', '\u0000', 'www.', '://', '-', 'ⅷ.a', ' ']) {
      expect(timed(`x${unit.repeat(60_000 / unit.length)}x`)).toBeLessThan(250);
    }
    const sources = [
      '<p '.repeat(20_000),
      '<!--'.repeat(20_000),
      '{{#if a}}'.repeat(900),
      '{{'.repeat(20_000),
      '<a href="'.repeat(10_000),
      '{{x}}'.repeat(900),
      '<a href="/a">x</a>'.repeat(8_000),
      'a < b '.repeat(20_000),
    ];
    for (const html of sources) {
      const before = process.cpuUsage();
      expect(problemsOf({ html })).not.toEqual([]);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000, html.slice(0, 10)).toBeLessThan(4_000);
    }
    expect(problemsOf({ html: 'x'.repeat(200_001) })[0]).toContain('more than 200000 characters');
    expect(problemsOf({ text: '{{x}}'.repeat(3_000) })[0]).toContain('more than 1000 fields');
    expect(problemsOf({ text: 'http://'.repeat(20_000) })).toHaveLength(1);
  });

  it('of open redirects: a mail carries numbers only, and a number that is not in the table leads nowhere', () => {
    fc.assert(
      fc.property(fc.string(), (ref) => {
        const target = linkTarget(['https://shop.example/'], ref);
        expect(target === null || target.kind === 'product' || ref === '0').toBe(true);
      }),
    );
  });

  it('of a changed database: what is kept is checked again before it becomes code', () => {
    const frozen = freezeTemplate(aTemplate());
    const changed: Partial<FrozenTemplate>[] = [
      { html: '{{{person.name}}}' },
      { text: '{{lookup person "name"}}' },
      { subject: '{{constructor.constructor "return 1"}}' },
      { html: '{{> x}}' },
    ];
    for (const change of changed) {
      expect(() => openTemplate({ ...frozen, ...change })).toThrow(KairosError);
    }
    expect(() =>
      openTemplate({ ...frozen, html: frozen.html.replace('</body>', '{{@linkPrefix}}</body>') }),
    ).not.toThrow();
    refused('{{@linkPrefix}}');
    refused('{{@unsubscribeUrl}}');
  });
});

// What people and bots have written into name fields.
const hostileText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        '<script>',
        '</p>',
        '"',
        "'",
        '>',
        '<',
        '&',
        '`',
        '=',
        '{{',
        '}}',
        '{{{x}}}',
        '</style>',
        '<a href="https://evil.example">',
        ' onmouseover=',
        'javascript:',
        'http://evil.example',
        'www.evil.example',
        'evil.com',
        'EVIL.COM',
        'a@evil.example',
        '\r\n',
        '\0',
        '\u202e',
        '\uE0001\uE001',
        '-->',
        ']]>',
        ' ',
        'Ann',
        '&lt;script&gt;',
        '%0d%0a',
        '//evil.example',
      ),
      { maxLength: 6 },
    )
    .map((pieces) => pieces.join('')),
);
const person = fc.record({
  firstName: hostileText,
  name: hostileText,
  city: hostileText,
  country: hostileText,
});

const SHOWN: Partial<TemplateSource> = {
  html:
    '<p title="{{fallback person.name "x"}}">{{fallback person.firstName "there"}}</p>{{#if person.city}}<b>{{person.city}}</b>{{/if}}' +
    '<a href="/sale" title="{{fallback person.country "x"}}">{{upper-first (fallback person.name "sale")}}</a>' +
    '{{#each products}}<a href="{{productLink sku}}">{{title}}</a>{{/each}}',
  text: '{{fallback person.firstName "there"}} {{fallback person.name "x"}} {{fallback person.city "y"}} {{link "/sale"}}\n{{#each products}}{{title}}: {{productLink sku}}\n{{/each}}',
  subject: '{{fallback person.firstName "Hello"}}, {{fallback person.city "you"}}',
  preheader: 'For {{fallback person.name "you"}}',
};

describe('whatever a person wrote', () => {
  const template = openTemplate(freezeTemplate(aTemplate(SHOWN)));
  const plain = template.render(someData({ person: {} }), URLS);
  const shape = (html: string): string[] => html.match(/<\/?[a-z][a-z0-9]*/g) ?? [];

  it('never becomes a tag, an attribute or a template, and never a line of a header', () => {
    fc.assert(
      fc.property(person, (values) => {
        const mail = template.render(someData({ person: values }), URLS);
        const tags = shape(mail.html).filter((tag) => !['<b', '</b'].includes(tag));
        expect(tags).toEqual(shape(plain.html));
        expect(mail.html).not.toMatch(/<script|onmouseover=/i);
        // eslint-disable-next-line no-control-regex
        expect(mail.subject + mail.preheader).not.toMatch(/[\u0000-\u001f\u007f]/);
      }),
      { numRuns: 500 },
    );
  });

  it('never adds, removes or changes a link', () => {
    const links = linksOf(plain);
    expect(links.length).toBeGreaterThan(5);
    fc.assert(
      fc.property(person, (values) => {
        expect(linksOf(template.render(someData({ person: values }), URLS))).toEqual(links);
      }),
      { numRuns: 500 },
    );
  });

  it('never leads a product link out of the shop, whatever the number of the product', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (sku) => {
        const products = [{ sku, title: 'T', price: 1, category: 'C' }];
        let text = '';
        try {
          ({ text } = template.render(someData({ person: {}, products }), URLS));
        } catch (error) {
          expect(error).toBeInstanceOf(KairosError);
          return;
        }
        const [, ref = ''] =
          /T: https:\/\/t\.example\/c\/TOKEN\/(p[A-Za-z0-9%._~-]+)\n/.exec(text) ?? [];
        expect(linkTarget([], ref)?.kind).toBe('product');
      }),
    );
  });
});

// Pieces from which marketers, and attackers with a marketer's account, build templates.
const piece = fc.constantFrom(
  '<p>',
  '</p>',
  '<b title="',
  '">',
  '</b>',
  '<a href="',
  '</a>',
  '<style>',
  '</style>',
  '<!--',
  '-->',
  '<script>',
  '</script>',
  '<img src="',
  '" onerror="',
  "'",
  '"',
  '<',
  '>',
  '=',
  '&lt;',
  ' ',
  '\n',
  '{{person.name}}',
  '{{fallback person.name "x"}}',
  "{{fallback person.name '\"'}}",
  '{{{person.name}}}',
  '{{&person.name}}',
  '{{#if offer}}',
  '{{else}}',
  '{{/if}}',
  '{{#each products}}',
  '{{/each}}',
  '{{title}}',
  '{{productLink sku}}',
  '{{link "/x"}}',
  '{{unsubscribeUrl}}',
  '{{!-- x --}}',
  '{{! x }}',
  '{{!-- }} --}}',
  '{{!-- "-- }}',
  '\\{{',
  '{{',
  '}}',
  '{{~',
  '~}}',
  '{{> button}}',
  '{{person.[a}}b]}}',
  "{{person.[it's]}}",
  '{{lookup person "name"}}',
  'https://shop.example/',
  '/sale',
  'javascript:',
  'text',
  '<h1>',
  '</h1>',
  '<br>',
);

describe('whatever a template is built from', () => {
  const sentinel = `<x-sentinel a="1" b='2'>`;

  it('it is refused with a problem, or shows every field escaped and no link but its own', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 9 }),
        fc.array(piece, { maxLength: 5 }),
        (html, text) => {
          const source = aTemplate({ html: html.join(''), text: text.join('') });
          const { frozen, problems } = checkTemplate(source);
          expect(frozen === null).toBe(problems.length > 0);
          if (!frozen) return;
          accepted += 1;
          const data = someData({
            person: { name: sentinel, firstName: sentinel },
            offer: { id: sentinel, label: sentinel, code: sentinel },
            products: [{ sku: sentinel, title: sentinel, price: 1, category: sentinel }],
          });
          const mail = openTemplate(frozen).render(data, URLS);
          expect(mail.html).not.toContain('<x-sentinel');
          expect(mail.html).not.toContain('{{');
          for (const [, href] of mail.html.matchAll(/<a\s[^>]*href="([^"]*)"/g)) {
            expect(href).toMatch(
              /^https:\/\/t\.example\/(?:u\/TOKEN|c\/TOKEN\/(?:\d+|p[\w%.~-]+))$|^#/,
            );
          }
        },
      ),
      { numRuns: 600 },
    );
    expect(accepted).toBeGreaterThan(30);
  });
});
