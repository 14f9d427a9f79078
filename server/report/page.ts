import type { CampaignReport } from '../../domain/report.ts';
import { pagePolicy } from '../headers.ts';
import { Html, html } from '../html.ts';
import { funnel, intervalChart, perHeadChart } from './charts.ts';
import { type Format, formatFor, holdsZero } from './format.ts';
import { REPORT_CSS } from './style.ts';
import {
  balanceSection,
  budgetSection,
  skippedSection,
  unknownSection,
  variantsSection,
  waitingSection,
} from './tables.ts';

export interface ReportLink {
  label: string;
  href: string;
}

/** For the header of the answer that carries the page. */
export const REPORT_PAGE_POLICY = pagePolicy(REPORT_CSS);
// A saved file has no headers; `frame-ancestors` is not allowed in an element.
const META_POLICY = REPORT_PAGE_POLICY.replace(/ ?frame-ancestors [^;]*;/, '');
const STYLE = new Html(`<style>${REPORT_CSS}</style>`);

/** The whole report as one file: no script, no picture, nothing to fetch. */
export function reportPage(report: CampaignReport, links: readonly ReportLink[] = []): string {
  const format = formatFor(report.currency);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${META_POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <title>${report.name}: what it earned</title>
        ${STYLE}
      </head>
      <body>
        <main>
          ${headerOf(report, format, links)} ${hero(report, format)} ${facts(report, format)}
          <section>
            <h2>From the audience to the order</h2>
            ${funnel(report, format)}
          </section>
          ${perHead(report, format)} ${variantsSection(report, format)}
          ${balanceSection(report, format)} ${waitingSection(report, format)}
          ${budgetSection(report, format)}
          <div class="two">${skippedSection(report, format)}${unknownSection(report, format)}</div>
          ${caveats(report)}
          <footer>
            Measured on ${format.moment(report.measuredAt)} of the shop’s time, by intention to
            treat: everyone who could be mailed counts in the arm that was drawn for them. Intervals
            are Welch’s, at 95 %. Revenue is less what was refunded within the window.
          </footer>
        </main>
      </body>
    </html> `.text;
}

function headerOf(report: CampaignReport, format: Format, links: readonly ReportLink[]): Html {
  const state = report.isFinal
    ? html`<span class="chip">final</span>`
    : html`<span class="chip">preliminary</span>`;
  const mode = report.mode === 'live' ? null : html` <span class="chip warn">${report.mode}</span>`;
  const when =
    report.launchedAt === null
      ? 'not launched yet'
      : `${format.day(report.launchedAt)} to ${format.day(report.windowEnd)}`;
  return html`<header>
    <h1>${report.name} ${state}${mode}</h1>
    <p>
      Campaign ${report.campaign} · ${when} · goal: ${report.goal.event} within
      ${report.goal.window}
    </p>
    ${links.length === 0 ? null : html`<nav>${links.map((link) => html`<a href="${link.href}" rel="noreferrer">${link.label}</a>`)}</nav>`}
  </header>`;
}

function hero(report: CampaignReport, format: Format): Html {
  const effect = report.incrementalRevenue;
  if (effect === null) {
    return html`<section class="hero">
      <p class="what">Revenue that the campaign caused</p>
      <p class="number open">not known</p>
      <p class="range">${report.reason ?? 'Nothing has been measured yet.'}</p>
    </section>`;
  }
  const tone = report.isPositive ? '' : effect.high < 0 ? 'loss' : 'open';
  return html`<section class="hero">
    <p class="what">Revenue that the campaign caused</p>
    <p class="number ${tone}">${format.gain(effect.estimate)}</p>
    <p class="range">
      With 95 % confidence between <b>${format.gain(effect.low)}</b> and
      <b>${format.gain(effect.high)}</b>.
    </p>
    <p class="verdict">${verdict(report)}</p>
    ${intervalChart(effect, format)}
  </section>`;
}

function verdict(report: CampaignReport): string {
  const effect = report.incrementalRevenue!;
  const compared = 'compared with people who were drawn at random to get nothing';
  if (holdsZero(effect)) {
    return `The interval holds zero: ${compared}, no effect can be told from chance with these people.`;
  }
  if (effect.high < 0) return `It cost revenue, ${compared}.`;
  return report.isPositive
    ? `It earned more than chance explains, ${compared}.`
    : `The interval lies above zero, ${compared}, but read the notes below before you rely on it.`;
}

function facts(report: CampaignReport, format: Format): Html {
  const { conversionRate, incrementalConversions } = report;
  const fact = (label: string, value: string, note: string): Html =>
    html`<div>
      <dt>${label}</dt>
      <dd>${value}<small>${note}</small></dd>
    </div>`;
  return html`<dl class="facts">
    ${fact('Mails sent', format.count(report.sent), `of ${format.count(report.audience)} in the audience`)}
    ${fact('Ordered', format.percent(conversionRate.treated), `of the mailed arm; ${format.percent(conversionRate.holdout)} without`)}
    ${fact(
      'Orders caused',
      incrementalConversions ? format.signed(incrementalConversions.estimate) : '–',
      incrementalConversions
        ? `people; ${format.signed(incrementalConversions.low)} to ${format.signed(incrementalConversions.high)}`
        : 'not known',
    )}
    ${fact('Unsubscribed', format.count(report.unsubscribed), `${format.share(report.unsubscribed, report.sent)} of sent; ${format.count(report.complaints)} complaints`)}
  </dl>`;
}

function perHead(report: CampaignReport, format: Format): Html | null {
  if (report.daily.length < 2) return null;
  const rows = report.daily.map(
    (point) =>
      html`<tr>
        <th scope="row">${point.day}</th>
        <td>${format.money(point.treatedPerHead)}</td>
        <td>${format.money(point.holdoutPerHead)}</td>
      </tr>`,
  );
  return html`<section>
    <h2>Revenue per head since the launch</h2>
    ${perHeadChart(report.daily, format)}
    <details>
      <summary>The figures of each day</summary>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Day</th>
              <th scope="col">With the campaign</th>
              <th scope="col">Without</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>
    </details>
  </section>`;
}

function caveats(report: CampaignReport): Html | null {
  if (report.caveats.length === 0) return null;
  return html`<section>
    <h2>Before you rely on it</h2>
    <ul class="notes">
      ${report.caveats.map((note) => html`<li>${note}</li>`)}
    </ul>
  </section>`;
}
