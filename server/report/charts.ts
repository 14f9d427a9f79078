import type { Interval } from '../../domain/measure.ts';
import type { CampaignReport, DailyPoint } from '../../domain/report.ts';
import { type Html, html } from '../html.ts';
import { type Format, niceTicks } from './format.ts';

/**
 * Charts as SVG in percent of the width, so that lines stretch and words do not: labels are ordinary text beside the
 * drawing. Numbers only: no text of a person's or a marketer's reaches an attribute.
 */

/** Where the effect may lie: a line from low to high with the estimate on it, and where nothing would be. */
export function intervalChart(interval: Interval, format: Format): Html {
  const { estimate, low, high } = interval;
  const [from, to] = [Math.min(low, 0), Math.max(high, 0)];
  const span = to - from || 1;
  const at = (value: number): string => `${(14 + (72 * (value - from)) / span).toFixed(2)}%`;
  // Two labels over one another say nothing: what lies too near to its neighbour is left to the text.
  const near = (a: number, b: number): boolean => Math.abs(a - b) / span < 0.22;
  const ends = [low, high].filter((value) => !near(value, estimate) || value === estimate);
  return html`<svg
    class="interval"
    width="100%"
    height="78"
    role="img"
    aria-label="${format.gain(estimate)}, between ${format.gain(low)} and ${format.gain(high)}"
  >
    <line class="axis" x1="4%" x2="96%" y1="42" y2="42" />
    <line class="zero" x1="${at(0)}" x2="${at(0)}" y1="26" y2="58" />
    <text class="tick" x="${at(0)}" y="74" text-anchor="middle">no effect</text>
    <line class="range" x1="${at(low)}" x2="${at(high)}" y1="42" y2="42" />
    <line class="end" x1="${at(low)}" x2="${at(low)}" y1="34" y2="50" />
    <line class="end" x1="${at(high)}" x2="${at(high)}" y1="34" y2="50" />
    <circle class="estimate" cx="${at(estimate)}" cy="42" r="7" />
    ${ends.map((value) => html`<text class="tick" x="${at(value)}" y="20" text-anchor="middle">${format.gain(value)}</text>`)}
  </svg>`;
}

interface Stage {
  label: string;
  value: number;
  share: string;
}

/** From the audience to the orders; each bar beside its share of those who were mailed. */
export function funnel(report: CampaignReport, format: Format): Html {
  const stages: Stage[] = [
    { label: 'Audience', value: report.audience, share: '' },
    {
      label: 'Sent',
      value: report.sent,
      share: `${format.share(report.sent, report.audience)} of all`,
    },
    { label: 'Opened', value: report.opens.human, share: shareOfSent(report.opens.human) },
    { label: 'Clicked', value: report.clicks.human, share: shareOfSent(report.clicks.human) },
    { label: 'Ordered', value: report.converted.treated, share: `people, mailed or not` },
  ];
  function shareOfSent(value: number): string {
    return `${format.share(value, report.sent)} of sent`;
  }
  const widest = Math.max(1, ...stages.map((stage) => stage.value));
  return html`<ol class="funnel">
    ${stages.map(
      (stage) =>
        html`<li>
          <span class="name">${stage.label}</span>${bar(stage.value / widest)}<span class="value"
            >${format.count(stage.value)}</span
          ><span class="share">${stage.share}</span>
        </li>`,
    )}
  </ol>`;
}

function bar(share: number): Html {
  const width = Math.max(share > 0 ? 0.4 : 0, 100 * share).toFixed(2);
  return html`<svg class="bar" width="100%" height="14" aria-hidden="true">
    <rect class="track" width="100%" height="14" rx="4" />
    <rect class="fill" width="${width}%" height="14" rx="4" />
  </svg>`;
}

const GRID_LINES = 4;

/** Revenue per head of both arms since the launch, each with its 95 % band. */
export function perHeadChart(daily: readonly DailyPoint[], format: Format): Html {
  const last = daily.at(-1)!;
  const top = Math.max(
    ...daily.map((point) =>
      Math.max(point.treatedPerHead + point.treatedHalf, point.holdoutPerHead + point.holdoutHalf),
    ),
  );
  const ticks = niceTicks(top, GRID_LINES);
  const max = ticks.at(-1)!;
  const x = (day: number): string => ((1000 * day) / Math.max(1, last.day)).toFixed(1);
  const y = (value: number): string =>
    (400 - (400 * Math.min(max, Math.max(0, value))) / max).toFixed(1);
  const path = (value: (point: DailyPoint) => number): string =>
    daily.map((point, i) => `${i === 0 ? 'M' : 'L'}${x(point.day)} ${y(value(point))}`).join('');
  const band = (mid: (p: DailyPoint) => number, half: (p: DailyPoint) => number): string =>
    path((p) => mid(p) + half(p)) +
    daily
      .toReversed()
      .map((point) => `L${x(point.day)} ${y(mid(point) - half(point))}`)
      .join('') +
    'Z';
  const treated = (p: DailyPoint): number => p.treatedPerHead;
  const holdout = (p: DailyPoint): number => p.holdoutPerHead;
  const bandHoldout = band(holdout, (p) => p.holdoutHalf);
  const bandTreated = band(treated, (p) => p.treatedHalf);
  return html`<figure class="chart">
    <div class="plot">
      <div class="ys" aria-hidden="true">
        ${ticks.toReversed().map((tick) => html`<span>${format.money(tick)}</span>`)}
      </div>
      <svg
        viewBox="0 0 1000 400"
        preserveAspectRatio="none"
        role="img"
        aria-label="Per head after ${last.day} days: ${format.money(last.treatedPerHead)} with the campaign, ${format.money(last.holdoutPerHead)} without"
      >
        ${ticks.map((tick) => html`<line class="grid" x1="0" x2="1000" y1="${y(tick)}" y2="${y(tick)}" />`)}
        <path class="band holdout" d="${bandHoldout}" />
        <path class="band treated" d="${bandTreated}" />
        <path class="line holdout" d="${path(holdout)}" />
        <path class="line treated" d="${path(treated)}" />
      </svg>
      <div class="xs" aria-hidden="true">
        ${dayTicks(last.day).map((day) => html`<span>${day === 0 ? 'launch' : `day ${day}`}</span>`)}
      </div>
    </div>
    <figcaption>
      <span
        ><span class="key treated"></span>with the campaign: ${format.money(last.treatedPerHead)} a
        head</span
      >
      <span
        ><span class="key holdout"></span>without, the holdout: ${format.money(last.holdoutPerHead)}
        a head</span
      >
      <span>bands: 95 %</span>
    </figcaption>
  </figure>`;
}

/** Evenly spaced days that divide the span; the ends only, where none does. */
function dayTicks(days: number): number[] {
  const parts = [4, 3, 5, 2].find((count) => days % count === 0 && days >= count) ?? 1;
  return Array.from({ length: parts + 1 }, (_, index) => (days / parts) * index);
}
