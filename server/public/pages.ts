import { pagePolicy } from '../headers.ts';
import { Html, html } from '../html.ts';
import type { Words } from './words.ts';

const CSS = `
:root { color-scheme: light dark; --page: #f4f2ee; --card: #fff; --ink: #22242a; --soft: #5d6270; --line: #e3e0d9; --strong: #1f5f4a; --on: #fff }
@media (prefers-color-scheme: dark) { :root { --page: #16181c; --card: #1f2227; --ink: #eceae5; --soft: #a3a8b4; --line: #34383f; --strong: #7fd1b0; --on: #10221b } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--page); color: var(--ink); font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { width: 100%; max-width: 29rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem; padding: 2.5rem 2.25rem; box-shadow: 0 1px 2px rgb(0 0 0 / 4%), 0 12px 32px rgb(0 0 0 / 6%) }
svg { display: block; width: 2.75rem; height: 2.75rem; margin: 0 0 1.25rem; fill: none; stroke: var(--strong); stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round }
h1 { margin: 0 0 .6rem; font-size: 1.6rem; line-height: 1.25; letter-spacing: -.015em; text-wrap: balance }
p { margin: 0 0 1rem }
.note { margin: 1.5rem 0 0; padding-top: 1.25rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .9375rem }
button { width: 100%; margin-top: .5rem; padding: .85rem 1.25rem; border: 0; border-radius: .6rem; background: var(--strong); color: var(--on); font: inherit; font-weight: 600; cursor: pointer }
button:hover { filter: brightness(1.08) }
button:focus-visible { outline: 3px solid var(--strong); outline-offset: 3px }
@media (max-width: 30rem) { main { padding: 2rem 1.5rem } }
`;

export const PUBLIC_PAGE_POLICY = pagePolicy(CSS);

// A constant of ours, and a policy knows its hash: it must reach the page as it is.
const STYLE = new Html(`<style>${CSS}</style>`);

const ENVELOPE = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <rect x="3" y="5" width="18" height="14" rx="2.5" />
  <path d="m4 7.5 8 5.5 8-5.5" />
</svg>`;
const TICK = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <circle cx="12" cy="12" r="9.5" />
  <path d="m7.8 12.4 2.9 2.9 5.6-6.1" />
</svg>`;
const SIGN = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <circle cx="12" cy="12" r="9.5" />
  <path d="M12 7.5v5.5m0 3.2v.1" />
</svg>`;

function page(words: Words, icon: Html, title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="${words.lang}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        ${STYLE}
      </head>
      <body>
        <main>
          ${icon}
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `.text;
}

/** The question; opening it changes nothing, since scanners open every link of a mail. */
export function askPage(words: Words, sender: string | null): string {
  const body = html`<p>${words.ask.text(sender)}</p>
    <form method="post">
      <input type="hidden" name="confirm" value="yes" /><button type="submit">
        ${words.ask.button}
      </button>
    </form>
    <p class="note">${words.ask.note}</p>`;
  return page(words, ENVELOPE, words.ask.title, body);
}

export function donePage(words: Words, sender: string | null): string {
  return page(
    words,
    TICK,
    words.done.title,
    html`<p>${words.done.text(sender)}</p>
      <p class="note">${words.done.note}</p>`,
  );
}

export function noticePage(words: Words, kind: 'gone' | 'later' | 'unclear'): string {
  const { title, text } = words[kind];
  return page(words, SIGN, title, html`<p>${text}</p>`);
}
