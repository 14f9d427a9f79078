import { type Html, html } from '../html.ts';
import type { MailHead } from './mail-log.ts';

/** Our own pages: style, script, frames and requests from ourselves only, and nothing inline. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** What the list shows; part of every address, so that a reload and the back button keep it. */
export interface ListState {
  readonly query: string;
  /** Only mails before this number; Infinity begins with the newest. */
  readonly before: number;
}

export interface ListView {
  readonly state: ListState;
  readonly mails: readonly MailHead[];
  /** Where the next, older page begins; null on the last one. */
  readonly olderBefore: number | null;
  readonly total: number;
  readonly lastSeq: number;
  readonly openSeq: number | null;
  readonly smtpPort: number;
}

export function address(path: string, state: ListState, more: Record<string, string> = {}): string {
  const parameters = new URLSearchParams(more);
  if (state.query !== '') parameters.set('q', state.query);
  if (Number.isFinite(state.before)) parameters.set('before', String(state.before));
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

export function shell(view: ListView, title: string, pane: Html): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="stylesheet" href="/style.css" />
        <script src="/script.js" defer></script>
      </head>
      <body>
        <div class="shell${view.openSeq === null ? '' : ' reading'}">
          ${list(view)}
          <main class="pane">${pane}</main>
        </div>
      </body>
    </html> `;
  return page.text;
}

function list(view: ListView): Html {
  const { state, mails, total } = view;
  return html`<aside class="list" aria-label="Mails">
    <header class="top">
      <div class="brand">
        <h1><a href="/">Dev inbox</a></h1>
        <small>${count(total)}</small>
      </div>
      <form class="search" action="/" role="search">
        <input
          type="search"
          name="q"
          value="${state.query}"
          placeholder="Subject, address or id"
          aria-label="Search the mails"
        />
      </form>
      <a
        class="news"
        href="${address('/', { ...state, before: Infinity })}"
        data-last="${view.lastSeq}"
        hidden
      ></a>
    </header>
    <ol class="mails">
      ${mails.map((mail) => row(view, mail))}
    </ol>
    ${mails.length === 0 && state.query !== '' ? html`<p class="empty">Nothing matches.</p>` : ''}
    ${pages(view)}
  </aside>`;
}

function row({ state, openSeq }: ListView, mail: MailHead): Html {
  const current = mail.seq === openSeq ? html` aria-current="true"` : '';
  return html`<li>
    <a href="${address(`/mail/${mail.seq}`, state)}" ${current}>
      <div class="row">
        <span class="to cut"
          >${mail.to[0] ?? '(nobody)'}${mail.to.length > 1 ? ` +${mail.to.length - 1}` : ''}</span
        ><span class="soft">${time(mail.receivedAtMs)}</span>
      </div>
      <div class="cut soft">${mail.subject || '(no subject)'}</div>
    </a>
  </li> `;
}

function pages({ state, olderBefore }: ListView): Html {
  const newest = Number.isFinite(state.before)
    ? html`<a href="${address('/', { ...state, before: Infinity })}">Newest</a>`
    : html`<span>Newest first</span>`;
  const older =
    olderBefore === null
      ? ''
      : html`<a href="${address('/', { ...state, before: olderBefore })}" rel="next">Older</a>`;
  return html`<nav class="pages" aria-label="Pages">${newest}${older}</nav>`;
}

/** Shown as UTC until the page's script turns it into local time. */
export function time(atMs: number, long = false): Html {
  const iso = new Date(atMs).toISOString();
  const text = long ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : iso.slice(11, 16);
  return html`<time datetime="${iso}" ${long ? html` data-long="1"` : ''}>${text}</time>`;
}

function count(total: number): string {
  return total === 1 ? '1 mail' : `${total.toLocaleString('en-GB')} mails`;
}

export function emptyPane({ total, smtpPort }: ListView): Html {
  return total === 0
    ? html`<div class="empty">
        <h2>No mail yet</h2>
        <p>
          Everything that is sent to <code>smtp://127.0.0.1:${smtpPort}</code> ends here, and goes
          nowhere else.
        </p>
      </div>`
    : html`<div class="empty">
        <h2>Choose a mail</h2>
        <p>
          Nothing here has left this machine. Looking at a mail fetches none of its pictures, so it
          does not count as opened; its links are the real ones.
        </p>
      </div>`;
}

export function missingPane(seq: number): Html {
  return html`<div class="empty">
    <h2>Not here</h2>
    <p>Mail ${seq} was never received, or has made room for newer ones.</p>
  </div>`;
}
