import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { coverage, mase, smape } from '../models/forecast/accuracy.ts';
import { Automatic } from '../models/forecast/automatic.ts';
import { Conformal, measuredCoverage } from '../models/forecast/conformal.ts';
import { Ets } from '../models/forecast/ets.ts';
import { SeasonalNaive } from '../models/forecast/naive.ts';
import type { Forecaster } from '../models/forecast/series.ts';
import { Theta } from '../models/forecast/theta.ts';
import type { M3Series } from './forecast/m3.ts';
import { readM3 } from './forecast/m3.ts';
import { manySeries } from './forecast/many.ts';
import { retail } from './forecast/retail.ts';
import { stockTable } from './forecast/stock.ts';
import type { BenchOptions, BenchResult } from './support/result.ts';

const M3 = new URL('../../shared/data/m3-monthly/m3-monthly-odd.csv.gz', import.meta.url);
const PERIOD = 12;
const LEVEL = 0.95;

/** Measured once on the odd series with statsforecast 2.1.1: sMAPE, MASE, coverage, seconds. */
const REFERENCES = [
  ['statsforecast: seasonal naive', 17.835, 1.1923, 0.923, 0.4],
  ['statsforecast: dynamic optimised theta', 14.118, 0.8706, 0.858, 3.4],
  ['statsforecast: AutoETS', 14.531, 0.8794, 0.89, 77.8],
] as const;

/** M3 monthly, 18 months ahead, on one thread; then 10,000 weekly series on two. */
export async function run({ log, file, recipients }: BenchOptions): Promise<BenchResult> {
  const notes: string[] = [];
  const figures: Record<string, number> = {};
  const rows: (string | number)[][] = [];
  const source = file === undefined ? M3 : pathToFileURL(file);
  if (file === undefined && !existsSync(M3)) notes.push('M3 left out: ../shared/data is absent.');
  else {
    const all = readM3(source);
    log(`${all.length} series`);
    const automatic = automaticOn(all);
    const { intervals, ...main } = automatic;
    Object.assign(figures, main, { series: all.length, coverage95: intervals });
    rows.push(rowOf('automatic', automatic, intervals.toFixed(3)));
    for (const method of [new Theta(), new Ets(), new SeasonalNaive()]) {
      rows.push(rowOf(method.kind, single(all, method), ''));
    }
    rows.push(...REFERENCES.map((row) => [...row]));
  }
  log('Online Retail');
  const shop = retail();
  if (shop) Object.assign(figures, shop.figures);
  else notes.push('Online Retail left out: ../shared/data is absent.');
  log('stock');
  const stock = stockTable([1, 2, 3, 4, 5]);
  Object.assign(figures, stock.figures);
  log('weekly series');
  const many = await manySeries(recipients ?? 10_000, log);
  figures['weeklySeries'] = many.series;
  figures['weeklySeconds'] = many.seconds;
  notes.push(
    `${many.series} series × 104 weeks, 8 ahead, automatic choice, ${many.threads} threads: ${many.seconds.toFixed(1)} s`,
  );
  return {
    figures,
    ratios: {},
    tables: [
      {
        title: 'M3 monthly, 18 months ahead (references: the odd series)',
        columns: ['method', 'sMAPE', 'MASE', 'coverage of 95 %', 'seconds'],
        rows,
      },
      ...(shop ? [shop.table] : []),
      stock.table,
    ],
    notes,
  };
}

interface Scores {
  readonly smape: number;
  readonly mase: number;
  readonly seconds: number;
}

function automaticOn(all: readonly M3Series[]): Scores & {
  intervals: number;
  expectedCoverage: number;
  relativeWidth: number;
} {
  const begun = performance.now();
  const fitted = all.map(({ history, future }) =>
    new Automatic({ horizon: future.length }).fit({ values: history, period: PERIOD }),
  );
  const backtests = fitted.flatMap((each) => each.backtests);
  const conformal = Conformal.from(backtests);
  const forecasts = fitted.map((each, i) => each.predict(all[i]!.future.length));
  const bounds = fitted.map((each, i) => conformal.interval(LEVEL, forecasts[i]!, each.scale));
  const seconds = (performance.now() - begun) / 1000;
  return {
    ...scores(all, forecasts),
    seconds,
    intervals: mean(bounds.map(({ low, high }, i) => coverage(all[i]!.future, low, high))),
    expectedCoverage: measuredCoverage(backtests, LEVEL),
    relativeWidth: mean(
      bounds.map(({ low, high }, i) =>
        mean(Array.from(high, (value, k) => (value - low[k]!) / fitted[i]!.scale)),
      ),
    ),
  };
}

function single(all: readonly M3Series[], method: Forecaster): Scores {
  const begun = performance.now();
  const forecasts = all.map(({ history, future }) =>
    method.fit({ values: history, period: PERIOD }).predict(future.length),
  );
  return { ...scores(all, forecasts), seconds: (performance.now() - begun) / 1000 };
}

function scores(
  all: readonly M3Series[],
  forecasts: readonly Float64Array[],
): { smape: number; mase: number } {
  return {
    smape: mean(all.map(({ future }, i) => smape(future, forecasts[i]!))),
    // A history that never changes has no MASE.
    mase: mean(
      all
        .map(({ future, history }, i) => mase(future, forecasts[i]!, history, PERIOD))
        .filter(Number.isFinite),
    ),
  };
}

function rowOf(name: string, { smape: s, mase: m, seconds }: Scores, covered: string): string[] {
  return [name, s.toFixed(3), m.toFixed(4), covered, seconds.toFixed(2)];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
