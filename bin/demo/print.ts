import type { BudgetReport } from '../../domain/budget.ts';
import type { Interval } from '../../domain/measure.ts';
import type { CampaignReport } from '../../domain/report.ts';
import { loginLink } from '../../server/admin/session.ts';
import { type Demo, count } from './context.ts';

const money = (n: number, currency: string | null): string =>
  `${n.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}${currency ? ` ${currency}` : ''}`;

/** The report as a newcomer reads it in the terminal, with where to see more. */
export function printReport(
  { say, config }: Pick<Demo, 'say' | 'config'>,
  report: CampaignReport,
): void {
  const line = (name: string, text: string): void => say(`  ${name.padEnd(20)} ${text}`);
  say(`\n  ${report.name} (${report.campaign})\n`);
  line('Audience', `${count(report.audience)} people, ${count(report.holdout)} of them held out`);
  line('Sent', count(report.sent));
  const reasons = Object.entries(report.skipped.byReason).map(
    ([reason, n]) => `${reason} ${count(n)}`,
  );
  line(
    'Skipped',
    `${count(report.skipped.total)}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}`,
  );
  // A report that an older version stored lacks these.
  const known: Partial<CampaignReport> = report;
  const { waiting = {}, budget = null, refunded = { treated: 0, holdout: 0 } } = known;
  const waits = Object.entries(waiting).map(([reason, n]) => `${reason} ${count(n)}`);
  if (waits.length > 0) line('Waiting', `${count(report.open)} (${waits.join(', ')})`);
  if (budget) line('Budget', budgetText(budget, report.currency));
  line('Bounced', count(report.bounced));
  line('Expired, unknown', `${count(report.expired)}, ${count(report.unknown)}`);
  line('Opened, clicked', `${count(report.opens.human)}, ${count(report.clicks.human)} people`);
  line(
    'Orders',
    `${count(report.orders.treated)} mailed, ${count(report.orders.holdout)} held out`,
  );
  const { treated, holdout } = refunded;
  if (treated + holdout > 0) {
    line(
      'Refunded',
      `${money(treated, report.currency)} mailed, ${money(holdout, report.currency)} held out; revenue is less that`,
    );
  }
  line('Incremental revenue', intervalText(report.incrementalRevenue, report));
  for (const caveat of report.caveats) line('', caveat);
  line(
    'Ledger',
    report.isBalanced
      ? 'balances: everyone is in exactly one state'
      : `${count(report.open)} still open`,
  );
  say('');
  line(
    'Report',
    loginLink(config.adminUrl, config.adminToken.reveal(), `/reports/${report.campaign}`),
  );
  if (!config.smtp.external) line('Mails', config.inboxUrl);
  if (config.temporal.uiUrl) {
    line(
      'Run',
      `${config.temporal.uiUrl}/namespaces/${config.temporal.namespace}/workflows/${encodeURIComponent(`campaign/${report.campaign}`)}`,
    );
  }
  line('Why this mail?', `npm run kairos -- explain ${report.campaign} <customer>`);
}

/** How a budget stands, in one line. */
export function budgetText(budget: BudgetReport, currency: string | null): string {
  const { total, sends, spent, reserved, left, messages, skipped } = budget;
  const parts = [
    ...(total === null
      ? []
      : [
          `${money(spent, null)} of ${money(total, currency)} spent`,
          ...(reserved > 0 ? [`${money(reserved, null)} planned`] : []),
          `${money(left ?? 0, null)} left`,
        ]),
    ...(sends === null ? [] : [`${count(messages)} of ${count(sends)} messages`]),
    ...(skipped > 0 ? [`${count(skipped)} people not reached`] : []),
  ];
  return parts.join(', ');
}

function intervalText(interval: Interval | null, report: CampaignReport): string {
  if (!interval) return `not known: ${report.reason ?? 'no comparison'}`;
  const { estimate, low, high } = interval;
  const text = `${money(estimate, report.currency)}, 95 % interval ${money(low, null)} to ${money(high, null)}`;
  return report.isPositive ? text : `${text} (not proven above 0)`;
}

/** The last line of `--json`. */
export function summaryOf(report: CampaignReport, seconds: number): Record<string, unknown> {
  return {
    campaign: report.campaign,
    audience: report.audience,
    holdout: report.holdout,
    sent: report.sent,
    skipped: report.skipped.total,
    bounced: report.bounced,
    expired: report.expired,
    unknown: report.unknown,
    duplicates: report.duplicates,
    opens: report.opens.human,
    clicks: report.clicks.human,
    orders: report.orders.treated,
    incrementalRevenue: report.incrementalRevenue
      ? {
          estimate: round(report.incrementalRevenue.estimate),
          low: round(report.incrementalRevenue.low),
          high: round(report.incrementalRevenue.high),
        }
      : null,
    ...(report.incrementalRevenue ? {} : { reason: report.reason }),
    seconds: Math.round(seconds * 10) / 10,
  };
}

const round = (n: number): number => Math.round(n * 100) / 100;
