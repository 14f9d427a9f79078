import type { CampaignRow } from '../../store/campaigns.ts';
import { pagePolicy } from '../headers.ts';
import { Html, html } from '../html.ts';
import { REPORT_CSS } from '../report/style.ts';

export interface HomeCampaign {
  row: CampaignRow;
  sent: number;
  audience: number;
}

/** Where the other parts are, for links; null where that is not known. */
export interface Places {
  inboxUrl: string | null;
  /** With its namespace: `http://…/namespaces/default`. */
  temporalUrl: string | null;
}

const CSS = `${REPORT_CSS}
th.stage, td.stage { text-align: left }
`;
export const HOME_PAGE_POLICY = pagePolicy(CSS);
const STYLE = new Html(`<style>${CSS}</style>`);
const REFRESH_SECONDS = 5;

/** The address of a campaign's run in Temporal UI. */
export function runAddress(places: Places, campaignId: string): string | null {
  if (places.temporalUrl === null) return null;
  return `${places.temporalUrl}/workflows/${encodeURIComponent(`campaign/${campaignId}`)}`;
}

export function homePage(campaigns: readonly HomeCampaign[], places: Places): string {
  const isBusy = campaigns.some(({ row }) => !['closed', 'refused', 'draft'].includes(row.stage));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        ${isBusy ? new Html(`<meta http-equiv="refresh" content="${REFRESH_SECONDS}" />`) : null}
        <title>Kairos</title>
        ${STYLE}
      </head>
      <body>
        <main>
          <header>
            <h1>Kairos</h1>
            <p>The campaigns of this shop, newest first.</p>
            <nav>
              ${link(places.inboxUrl, 'Dev inbox')} ${link(places.temporalUrl, 'Temporal UI')}
              <a href="/metrics">Metrics</a> <a href="/health">Health</a>
            </nav>
          </header>
          <section>${campaigns.length === 0 ? EMPTY : table(campaigns, places)}</section>
        </main>
      </body>
    </html> `.text;
}

const EMPTY = html`<p class="empty">
  No campaign has been launched yet: npm run kairos -- campaign launch campaigns/win-back.ts
</p>`;

function link(href: string | null, label: string): Html | null {
  return href === null ? null : html`<a href="${href}" rel="noreferrer">${label}</a>`;
}

function table(campaigns: readonly HomeCampaign[], places: Places): Html {
  const number = new Intl.NumberFormat('en');
  const rows = campaigns.toReversed().map(
    ({ row, sent, audience }) =>
      html`<tr>
        <th scope="row"><a href="/reports/${row.id}">${row.definition.name}</a></th>
        <td class="stage">${stageOf(row)}</td>
        <td>${number.format(audience)}</td>
        <td>${number.format(sent)}</td>
        <td>${link(runAddress(places, row.id), 'run')}</td>
      </tr>`,
  );
  return html`<h2>Campaigns</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Campaign</th>
            <th class="stage" scope="col">Stage</th>
            <th scope="col">Audience</th>
            <th scope="col">Sent</th>
            <th scope="col"></th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>`;
}

function stageOf(row: CampaignRow): string {
  if (row.stop) return row.stop;
  const stage = row.paused ? `${row.stage}, paused` : row.stage;
  const waits =
    row.waiting && row.waiting !== 'paused' ? `${stage}, waits for ${row.waiting}` : stage;
  return row.mode === 'live' ? waits : `${waits} (${row.mode})`;
}

/** A page of one sentence: after the login, or where there is nothing to see. */
export function messagePage(title: string, text: string, next: string | null = null): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${next === null ? null : html`<meta http-equiv="refresh" content="0;url=${next}" />`}
        <title>${title}</title>
        ${STYLE}
      </head>
      <body>
        <main>
          <header><h1>${title}</h1></header>
          <section>
            <p class="empty">${text}</p>
            ${next === null ? null : html`<p><a href="${next}">Go on</a></p>`}
          </section>
        </main>
      </body>
    </html> `.text;
}
