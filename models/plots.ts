import type { CalibrationBin } from './metrics.ts';
import type { LiftStep } from './evaluate/ranking.ts';
import type { Importance } from './importance.ts';

/** Plots of a card as SVG text, readable in light and dark, without scripts or fonts of their own. */

const INK = '#57606a';
const BLUE = '#0969da';
const FAINT = '#d0d7de';
const SIZE = 320;
const LEFT = 52;
const TOP = 36;

/** What was predicted against what came true; points on the diagonal are calibrated, their size is their count. */
export function calibrationPlot(bins: readonly CalibrationBin[], title: string): string {
  const most = Math.max(...bins.map((bin) => bin.count), 1);
  const points = bins.map(
    (bin) =>
      `<circle cx="${x(bin.predicted)}" cy="${y(bin.observed)}" r="${(3 + 9 * Math.sqrt(bin.count / most)).toFixed(1)}" fill="${BLUE}" fill-opacity="0.55"><title>${bin.count} rows: ${percent(bin.predicted)} predicted, ${percent(bin.observed)} came true</title></circle>`,
  );
  const line = bins.map((bin) => `${x(bin.predicted)},${y(bin.observed)}`).join(' ');
  return frame(title, 'predicted', 'came true', [
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" stroke="${INK}" stroke-dasharray="4 4"/>`,
    `<polyline points="${line}" fill="none" stroke="${BLUE}" stroke-width="1.5"/>`,
    ...points,
  ]);
}

/** How many of all positives are found among the share of rows with the highest scores. */
export function gainPlot(steps: readonly LiftStep[], title: string): string {
  const line = [{ share: 0, gain: 0 }, ...steps].map((s) => `${x(s.share)},${y(s.gain)}`).join(' ');
  const dots = steps.map(
    (s) =>
      `<circle cx="${x(s.share)}" cy="${y(s.gain)}" r="3" fill="${BLUE}"><title>the first ${percent(s.share)} hold ${percent(s.gain)}; lift ${s.liftSoFar.toFixed(2)}</title></circle>`,
  );
  return frame(title, 'share of rows, highest scores first', 'share of all yes', [
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" stroke="${INK}" stroke-dasharray="4 4"/>`,
    `<polyline points="${line}" fill="none" stroke="${BLUE}" stroke-width="2"/>`,
    ...dots,
  ]);
}

/** What the model relies on: the fall of the AUC without each column, at most twelve. */
export function importancePlot(all: readonly Importance[], title: string): string {
  const shown = all.slice(0, 12);
  const most = Math.max(...shown.map((one) => one.aucDrop), 1e-9);
  const height = TOP + 22 * shown.length + 16;
  const bars = shown.flatMap((one, k) => {
    const at = TOP + 22 * k;
    const width = (230 * Math.max(0, one.aucDrop)) / most;
    return [
      `<text x="160" y="${at + 12}" text-anchor="end">${escape(one.feature)}</text>`,
      `<rect x="168" y="${at}" width="${width.toFixed(1)}" height="15" fill="${BLUE}" fill-opacity="0.75"/>`,
      `<text x="${(174 + width).toFixed(1)}" y="${at + 12}">${one.aucDrop.toFixed(4)}</text>`,
    ];
  });
  return svg(470, height, [heading(title), ...bars]);
}

function frame(title: string, across: string, up: string, content: readonly string[]): string {
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((at) => [
    `<line x1="${x(at)}" y1="${y(0)}" x2="${x(at)}" y2="${y(1)}" stroke="${FAINT}"/>`,
    `<line x1="${x(0)}" y1="${y(at)}" x2="${x(1)}" y2="${y(at)}" stroke="${FAINT}"/>`,
    `<text x="${x(at)}" y="${TOP + SIZE + 16}" text-anchor="middle">${percent(at)}</text>`,
    `<text x="${LEFT - 6}" y="${y(at) + 4}" text-anchor="end">${percent(at)}</text>`,
  ]);
  const middle = TOP + SIZE / 2;
  return svg(LEFT + SIZE + 20, TOP + SIZE + 40, [
    heading(title),
    ...grid,
    `<text x="${LEFT + SIZE / 2}" y="${TOP + SIZE + 34}" text-anchor="middle">${across}</text>`,
    `<text x="12" y="${middle}" text-anchor="middle" transform="rotate(-90 12 ${middle})">${up}</text>`,
    ...content,
  ]);
}

function svg(width: number, height: number, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11" fill="${INK}">`,
    ...content,
    '</svg>',
    '',
  ].join('\n');
}

const heading = (title: string): string =>
  `<text x="8" y="18" font-size="13" font-weight="600">${escape(title)}</text>`;
const x = (share: number): number => round(LEFT + SIZE * share);
const y = (share: number): number => round(TOP + SIZE * (1 - share));
const round = (value: number): number => Math.round(value * 10) / 10;
const percent = (share: number): string => `${Math.round(100 * share)} %`;

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
