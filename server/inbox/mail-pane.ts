import type { ParsedMail } from 'mailparser';
import { type Html, html } from '../html.ts';
import { type ListState, address, time } from './layout.ts';
import type { MailLinks } from './links.ts';
import type { MailHead } from './mail-log.ts';

export const VIEWS = ['html', 'text', 'headers', 'links', 'source'] as const;
export type View = (typeof VIEWS)[number];

const TITLES: Readonly<Record<View, string>> = {
  html: 'HTML',
  text: 'Text',
  headers: 'Headers',
  links: 'Links',
  source: 'Source',
};

/** What the frame may do: open a link in a tab of its own when somebody clicks it; no script, no form, no cookie. */
export const SANDBOX = 'allow-popups allow-popups-to-escape-sandbox';

/** A source that is longer is cut in the page; the download has all of it. */
const SOURCE_CHARS_MAX = 300_000;

export interface OpenMail {
  readonly head: MailHead;
  readonly parsed: ParsedMail;
  readonly links: MailLinks;
  readonly raw: Buffer;
}

export function mailPane(mail: OpenMail, view: View, isPhone: boolean, state: ListState): Html {
  const { head, parsed } = mail;
  return html`<header class="head">
      <a class="back" href="${address('/', state)}">← All mails</a>
      <h2>${head.subject || '(no subject)'}</h2>
      <dl class="facts">
        <dt>From</dt>
        <dd>${parsed.from?.text || head.from}</dd>
        <dt>To</dt>
        <dd>${head.to.join(', ')}</dd>
        <dt>Received</dt>
        <dd>${time(head.receivedAtMs, true)}, ${size(head.bytes)}</dd>
        <dt>Unsubscribe</dt>
        <dd>${unsubscribe(mail.links)}</dd>
      </dl>
      <nav class="tabs" aria-label="Views">
        ${VIEWS.map((each) => tab(head.seq, each, each === view && !isPhone, state))}${tab(head.seq, 'html', view === 'html' && isPhone, state, { width: 'phone' }, 'Phone')}<a
          class="more"
          href="/mail/${head.seq}/raw"
          download
          >Download</a
        >
      </nav>
    </header>
    <section class="body">${body(mail, view, isPhone)}</section>`;
}

function tab(
  seq: number,
  view: View,
  isCurrent: boolean,
  state: ListState,
  more: Record<string, string> = {},
  title: string = TITLES[view],
): Html {
  const parameters = view === 'html' ? more : { ...more, view };
  const current = isCurrent ? html` aria-current="page"` : '';
  return html`<a href="${address(`/mail/${seq}`, state, parameters)}" ${current}>${title}</a>`;
}

function unsubscribe({ unsubscribe: { url, mailto, oneClick } }: MailLinks): Html {
  if (url !== null && oneClick) return html`<span class="tag">one click</span>`;
  if (url !== null || mailto !== null) return html`<span class="tag no">by link only</span>`;
  return html`<span class="tag no">no header</span>`;
}

function body(mail: OpenMail, view: View, isPhone: boolean): Html {
  const { head, parsed } = mail;
  switch (view) {
    case 'html':
      return typeof parsed.html !== 'string'
        ? html`<p class="empty">This mail has no HTML part.</p>`
        : html`<iframe
            class="frame${isPhone ? ' phone' : ''}"
            sandbox="${SANDBOX}"
            referrerpolicy="no-referrer"
            src="/mail/${head.seq}/html"
            title="The mail’s HTML"
          ></iframe>`;
    case 'text':
      return parsed.text === undefined
        ? html`<p class="empty">This mail has no text part.</p>`
        : html`<pre>${parsed.text}</pre>`;
    case 'headers':
      return headers(mail);
    case 'links':
      return links(mail);
    case 'source':
      return html`<pre>${cut(mail.raw.toString('utf8'))}</pre>`;
  }
}

function headers({ head, parsed }: OpenMail): Html {
  const rows = parsed.headerLines.map(({ line }) => {
    const colon = line.indexOf(':');
    return html`<tr>
      <th scope="row">${line.slice(0, colon)}</th>
      <td><code>${line.slice(colon + 1).trim()}</code></td>
    </tr>`;
  });
  return html`<h3>Envelope</h3>
    <table>
      <tr>
        <th scope="row">MAIL FROM</th>
        <td><code>&lt;${head.from}&gt;</code></td>
      </tr>
      ${head.to.map(
        (to) =>
          html`<tr>
            <th scope="row">RCPT TO</th>
            <td><code>&lt;${to}&gt;</code></td>
          </tr>`,
      )}
    </table>
    <h3>Headers</h3>
    <table>
      ${rows}
    </table>`;
}

function links({ parsed, links: { links: found, images, unsubscribe: leave } }: OpenMail): Html {
  const leaving = leave.url ?? leave.mailto;
  return html`<h3>Links</h3>
    ${
      found.length === 0
        ? html`<p class="soft">None.</p>`
        : html`<table>
            ${found.map(
              ({ href, text }) =>
                html`<tr>
                  <th scope="row">${short(text) || '(picture)'}</th>
                  <td>${target(href)}</td>
                </tr>`,
            )}
          </table>`
    }
    <h3>Pictures</h3>
    ${
      images.length === 0
        ? html`<p class="soft">None.</p>`
        : html`<table>
            ${images.map(
              (src) =>
                html`<tr>
                  <td><code>${short(src, 300)}</code></td>
                </tr>`,
            )}
          </table>`
    }
    <h3>List-Unsubscribe</h3>
    ${
      leaving === null
        ? html`<p class="soft">None.</p>`
        : html`<table>
            <tr>
              <td><code>${leaving}</code></td>
            </tr>
          </table>`
    }
    ${
      parsed.attachments.length === 0
        ? ''
        : html`<h3>Attachments</h3>
            <table>
              ${parsed.attachments.map(
                (each) =>
                  html`<tr>
                    <th scope="row">${each.filename ?? '(no name)'}</th>
                    <td>${each.contentType}, ${size(each.size)}</td>
                  </tr>`,
              )}
            </table>`
    }`;
}

/** A link that may be followed is http or https; anything else is only shown. */
function target(href: string): Html {
  return /^https?:\/\//i.test(href)
    ? html`<a href="${href}" target="_blank" rel="noopener noreferrer">${href}</a>`
    : html`<code>${href}</code>`;
}

function short(text: string, length = 60): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function cut(text: string): string {
  if (text.length <= SOURCE_CHARS_MAX) return text;
  return `${text.slice(0, SOURCE_CHARS_MAX)}\n\n… cut here; the download has all of it.`;
}

function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} KiB`;
}

/**
 * The HTML part for the frame. Links open in a tab of their own: inside the frame the policy would stop them. The part is
 * else as it came; what it may do is for the sandbox and the policy to say.
 */
export function framed(part: string): string {
  const base = '<base target="_blank">';
  const head = /<head(?:\s[^>]*)?>/i.exec(part);
  if (!head) return `${base}${part}`;
  const at = head.index + head[0].length;
  return `${part.slice(0, at)}${base}${part.slice(at)}`;
}

export const FRAME_POLICY = [
  "default-src 'none'",
  'img-src data:',
  "style-src 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
  `sandbox ${SANDBOX}`,
].join('; ');
