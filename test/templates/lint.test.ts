import { describe, expect, it } from 'vitest';
import { problemsOf, someData } from './template-builder.ts';

const text = (source: string): string[] =>
  problemsOf({ text: source }).map((problem) => problem.replace('templates/test/', ''));
const html = (source: string): string[] =>
  problemsOf({ html: source }).map((problem) => problem.replace('templates/test/', ''));

describe('a template that cannot be read', () => {
  it.each([
    ['a\nb {{person.name}\nc'],
    ['{{#if offer}}\nx'],
    ['x\n{{#if offer}}{{/each}}'],
    ['{{person..name}}'],
    ['{{}}'],
  ])('has a place: %j', (source) => {
    expect(text(source)).toMatchSnapshot();
  });
});

describe('a name', () => {
  it.each([
    ['{{persn.name}}'],
    ['{{shop.adress}}'],
    ['{{person}}'],
    ['{{products}}'],
    ['{{person.name.first}}'],
    ['{{offer.value}}'],
    ['{{#each products}}{{person.name}}{{/each}}'],
    ['{{#each products}}{{../../x}}{{/each}}'],
    ['{{#each person}}{{/each}}'],
    ['{{#with products}}{{/with}}'],
    ['{{products.first.title}}'],
    ['{{products.0.title}}'],
    ['{{products.1.title}}'],
    ['{{@index}}'],
    ['{{@root.person.name}}'],
    ['{{#if @root.x}}{{/if}}'],
    ['{{person.[constructor]}}'],
  ])('that means nothing is refused: %s', (source) => {
    expect(text(source)).toMatchSnapshot();
  });
});

describe('a helper', () => {
  it.each([
    ['{{fallbak person.firstName "x"}}'],
    ['{{fallback person.firstName}}'],
    ['{{money}}'],
    ['{{eq person.country "DE"}}'],
    ['{{#eq person.country "DE"}}x{{/eq}}'],
    ['{{money products.0.price currency="USD"}}'],
    ['{{link shop.url}}'],
    ['{{link "/a" "/b"}}'],
    ['{{productLink person.name}}'],
    ['{{productLink "A-1"}}'],
    ['{{#if offer offer}}x{{/if}}'],
    ['{{fallback person.name null}}'],
  ])('that is used wrongly is refused: %s', (source) => {
    expect(text(source)).toMatchSnapshot();
  });
});

describe('HTML', () => {
  it.each([
    ['<script>alert(1)</script>'],
    ['<p onclick="x()">x</p>'],
    ['<p {{person.name}}>x</p>'],
    ['<p class={{person.name}}>x</p>'],
    ['<p class="{{person.name}}">x</p>'],
    ['<p style="color: {{person.colour}}">x</p>'],
    ['<style>.a { color: {{person.colour}} }</style>'],
    ['<{{person.tag}}>x'],
    ['<!-- {{person.name}} -->'],
    ['<!--[if mso]><a href="https://a.example">x</a><![endif]-->'],
    ['<!--><img src=x>-->'],
    ['<form action="https://a.example"></form>'],
    ['<iframe src="https://a.example"></iframe>'],
    ['<meta http-equiv="refresh" content="0">'],
    ['<img src="http://a.example/x.png" alt="">'],
    ['<img src="{{person.picture}}" alt="">'],
    ['<p class="a" class="b">x</p>'],
    ['<p title="a>x</p>'],
    ['a < b'],
    ['<p title="{{#if offer}}x{{/if}}">x</p>'],
    ['<p style="background: url(http://a.example/x.png)">x</p>'],
  ])('that is dangerous or unclear is refused: %s', (source) => {
    expect(html(source)).toMatchSnapshot();
  });
});

describe('a link', () => {
  it.each([
    ['<a href="{{person.url}}">x</a>'],
    ['<a href="https://{{person.host}}/">x</a>'],
    ['<a href="https://a.example/{{person.name}}">x</a>'],
    ['<a href="{{link "/a"}}{{person.name}}">x</a>'],
    ['<a href="javascript:alert(1)">x</a>'],
    ['<a href="data:text/html,x">x</a>'],
    ['<a href="//a.example">x</a>'],
    ['<a href="">x</a>'],
    ['<a href="https://user:password@a.example/">x</a>'],
    ['<a href="{{#if offer}}/a{{else}}/b{{/if}}">x</a>'],
    ['<a href="mailto:{{person.name}}@a.example">x</a>'],
    ['<p>{{link "/a"}}</p>'],
    ['<p title="{{unsubscribeUrl}}">x</p>'],
    ['<a href="{{link "javascript:alert(1)"}}">x</a>'],
  ])('that is not fixed, or not of the web, is refused: %s', (source) => {
    expect(html(source)).toMatchSnapshot();
  });

  it('in the text part is as strict', () => {
    expect(text('See https://a.example/{{person.name}} now')).toEqual([
      'text.hbs:1:5: a link is fixed and has no spaces or fields.',
    ]);
    expect(text('{{#if offer}}https://a.example/x{{/if}}')).toEqual([]);
  });

  it('has no place in the subject', () => {
    expect(problemsOf({ subject: '{{unsubscribeUrl}}' })).toEqual([
      'templates/test/subject:1:1: unsubscribeUrl cannot stand in a line of an inbox.',
    ]);
  });
});

describe('CSS', () => {
  it.each([
    ['@import url("https://a.example/x.css");'],
    ['.a { background: url(http://a.example/x.png) }'],
    ['.a { width: expression(alert(1)) }'],
    ['.a { color: {{person.colour}} }'],
    ['.a { background: u\\72l(http://a.example) }'],
  ])('that fetches, runs or varies is refused: %s', (css) => {
    expect(problemsOf({ css })).toMatchSnapshot();
  });
});

describe('a sample', () => {
  it('must have what every mail has', () => {
    const { shop: _shop, ...rest } = someData();
    expect(problemsOf({ sample: { ...rest, products: 1 } as never })).toMatchSnapshot();
    expect(problemsOf({ sample: null as never })).toMatchSnapshot();
  });
});
