import type { MESSAGE_REASON } from '../../domain/ledger.ts';
import type { CampaignReport } from '../../domain/report.ts';
import { type Html, html } from '../html.ts';
import type { Format } from './format.ts';

export function variantsSection(report: CampaignReport, format: Format): Html {
  const rows = report.variants.map(
    (variant) =>
      html`<tr>
        <th scope="row">${variant.id}</th>
        <td>${format.count(variant.persons)}</td>
        <td>${format.count(variant.sent)}</td>
        <td>${format.share(variant.opens, variant.sent)}</td>
        <td>${format.share(variant.clicks, variant.sent)}</td>
        <td>${format.count(variant.orders)}</td>
        <td>${format.money(variant.revenue)}</td>
        <td>${variant.persons === 0 ? '–' : format.money(variant.revenue / variant.persons)}</td>
      </tr>`,
  );
  return html`<section>
    <h2>Variants</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col">People</th>
            <th scope="col">Sent</th>
            <th scope="col">Opened</th>
            <th scope="col">Clicked</th>
            <th scope="col">Orders</th>
            <th scope="col">Revenue</th>
            <th scope="col">A head</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** Promise 2 in one line: everyone of the audience is in exactly one place. */
export function balanceSection(report: CampaignReport, format: Format): Html {
  const part = (label: string, value: number): Html => html`<b>${format.count(value)}</b> ${label}`;
  const parts = [
    part('holdout', report.holdout),
    part('sent', report.sent),
    part('skipped', report.skipped.total),
    part('bounced', report.bounced),
    part('expired', report.expired),
    part('unknown', report.unknown),
    ...(report.open > 0 ? [part('under way', report.open)] : []),
  ];
  const sum = parts.map((each, index) => (index === 0 ? each : html` + ${each}`));
  const verdict = report.isBalanced
    ? html`<span class="ok">✓ Everyone is accounted for.</span>`
    : html`<span class="bad">Not everyone has come to an end yet.</span>`;
  const duplicates = report.duplicates === 0 ? 'ok' : 'bad';
  return html`<section>
    <h2>The ledger</h2>
    <p class="balance">
      <b>${format.count(report.audience)}</b> audience = ${sum}<br />${verdict}
      <span class="${duplicates}"
        >${report.duplicates === 0 ? '✓ Nobody got it twice.' : `${format.count(report.duplicates)} mailboxes got it more than once.`}</span
      >
    </p>
  </section>`;
}

/** Words for the ledger's reasons, as a marketer would say them. */
const REASON_WORDS: Readonly<Partial<Record<keyof typeof MESSAGE_REASON, string>>> = {
  suppressed: 'unsubscribed, complained or bounced before',
  noConsent: 'no consent to marketing mail',
  cap: 'had enough mail this day or week',
  quietHours: 'quiet hours beyond the deadline',
  recalled: 'recalled',
  cancelled: 'cancelled',
  noAddress: 'no address',
  badAddress: 'an address that cannot be mailed to',
  budget: 'the budget was spent',
  renderFailed: 'the mail could not be made',
  erased: 'erased',
  duplicate: 'a second person behind one mailbox',
  notEligible: 'could not be mailed when the audience was frozen',
  simulated: 'a simulation: they would have been sent it',
};

export function skippedSection(report: CampaignReport, format: Format): Html {
  const reasons = Object.entries(report.skipped.byReason).filter(([, count]) => count > 0);
  const rows = reasons.map(([reason, count]) => countRow(wordsOf(reason), count, format));
  const bounces = report.bounces.map(({ code, count }) =>
    countRow(`bounced: ${code}`, count, format),
  );
  const all = [...rows, ...bounces];
  return html`<section>
    <h2>Not sent, and why</h2>
    ${
      all.length === 0
        ? html`<p class="empty">Everyone who was due got the mail.</p>`
        : html`<table class="list">
            <tbody>
              ${all}
            </tbody>
          </table>`
    }
  </section>`;
}

/** Words for why a message is not at its end yet. */
const WAITING_WORDS: Readonly<Record<string, string>> = {
  paused: 'paused, until it is resumed',
  relay: 'the relay does not answer',
  throttled: 'their mailbox provider asked to slow down',
  'warm-up': 'the lane has sent what it may today',
  'lane rate': 'their turn, by the rate of their lane',
  'campaign rate': 'their turn, by the rate of the campaign',
  rate: 'their turn',
  time: 'their moment',
  'quiet hours': 'the end of their quiet hours',
  retry: 'another try: their provider deferred them',
  approval: 'an approval',
  pilot: 'the pilot’s result',
  planning: 'to be planned',
  'under way': 'the relay’s answer',
};

/** Only while anything waits. */
export function waitingSection(report: CampaignReport, format: Format): Html | null {
  const reasons = Object.entries(report.waiting);
  if (reasons.length === 0) return null;
  return html`<section>
    <h2>Waiting for</h2>
    <table class="list">
      <tbody>
        ${reasons.map(([reason, n]) => countRow(WAITING_WORDS[reason] ?? reason, n, format))}
      </tbody>
    </table>
  </section>`;
}

/** Only where the campaign has a budget. */
export function budgetSection(report: CampaignReport, format: Format): Html | null {
  const { budget } = report;
  if (budget === null) return null;
  const row = (label: string, value: string): Html =>
    html`<tr>
      <th scope="row">${label}</th>
      <td>${value}</td>
    </tr>`;
  return html`<section>
    <h2>Budget</h2>
    <table class="list">
      <tbody>
        ${budget.total === null ? null : row('in all', format.money(budget.total))}
        ${row('spent, were every offer taken', format.money(budget.spent))}
        ${budget.reserved > 0 ? row('planned', format.money(budget.reserved)) : null}
        ${budget.left === null ? null : row('left', format.money(budget.left))}
        ${budget.sends === null ? null : row('messages', `${format.count(budget.messages)} of ${format.count(budget.sends)}`)}
        ${row('people whom it did not reach', format.count(budget.skipped))}
      </tbody>
    </table>
  </section>`;
}

function wordsOf(reason: string): string {
  return REASON_WORDS[reason as keyof typeof MESSAGE_REASON] ?? reason;
}

function countRow(label: string, count: number, format: Format): Html {
  return html`<tr>
    <th scope="row">${label}</th>
    <td>${format.count(count)}</td>
  </tr>`;
}

/** More of them stand in the JSON. */
const UNKNOWN_SHOWN = 50;

export function unknownSection(report: CampaignReport, format: Format): Html {
  const shown = report.unknownMessages.slice(0, UNKNOWN_SHOWN);
  const more = report.unknownMessages.length - shown.length;
  return html`<section>
    <h2>Unknown</h2>
    ${
      shown.length === 0
        ? html`<p class="empty">Of every message it is known what became of it.</p>`
        : html`<div class="scroll">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Person</th>
                    <th scope="col">Handed over</th>
                  </tr>
                </thead>
                <tbody>
                  ${shown.map(
                    (message) =>
                      html`<tr>
                        <th scope="row">${message.personId}</th>
                        <td>${format.moment(message.handedAt)}</td>
                      </tr>`,
                  )}
                </tbody>
              </table>
            </div>
            ${more > 0 ? html`<p class="empty">and ${format.count(more)} more in the JSON</p>` : null}`
    }
  </section>`;
}
