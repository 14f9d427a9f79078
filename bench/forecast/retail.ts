import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { coverage, mase, wape } from '../../models/forecast/accuracy.ts';
import { Automatic } from '../../models/forecast/automatic.ts';
import { Conformal } from '../../models/forecast/conformal.ts';
import { SeasonalNaive } from '../../models/forecast/naive.ts';
import { reconcile } from '../../models/forecast/reconcile.ts';
import type { Series } from '../../models/forecast/series.ts';
import type { BenchTable } from '../support/result.ts';

const FILE = new URL('../../../shared/data/online-retail/online-retail.csv.gz', import.meta.url);
const MS_PER_WEEK = 7 * 86_400_000;
/** The first Monday of the data, and whole weeks until the shop's last. */
const FIRST = Date.UTC(2010, 11, 6);
const WEEKS = 52;
const AHEAD = 8;
/** A product must have sold in this many weeks before the held-out ones, the first of them by week 20. */
const [LEAST_WEEKS, FIRST_BY] = [10, 20];
const PERIOD = 52;
const LEVEL = 0.95;

export interface Retail {
  readonly figures: Readonly<Record<string, number>>;
  readonly table: BenchTable;
}

/** Weekly demand of the products of Online Retail, the last 8 weeks held back; undefined without the data. */
export function retail(): Retail | undefined {
  if (!existsSync(FILE)) return undefined;
  const all = weekly();
  const past: Series[] = all.map((values) => ({
    values: values.subarray(0, WEEKS - AHEAD),
    period: PERIOD,
  }));
  const future = all.map((values) => values.subarray(WEEKS - AHEAD));
  const begun = performance.now();
  const fitted = past.map((series) => new Automatic({ horizon: AHEAD }).fit(series));
  const seconds = (performance.now() - begun) / 1000;
  const automatic = fitted.map((each) => each.predict(AHEAD));
  const naive = past.map((series) => new SeasonalNaive().fit(series).predict(AHEAD));
  const conformal = Conformal.from(fitted.flatMap(({ backtests }) => backtests));
  const covered = mean(
    fitted.map(({ scale }, i) => {
      const { low, high } = conformal.interval(LEVEL, automatic[i]!, scale);
      return coverage(future[i]!, low, high);
    }),
  );
  const whole = { values: sumOf(past.map(({ values }) => values)), period: PERIOD };
  const shop = new Automatic({ horizon: AHEAD }).fit(whole);
  const errors = [shop, ...fitted].map(({ backtests: [trial] }) =>
    trial!.actual.map((value, k) => value - trial!.forecast[k]!),
  );
  const hierarchy = { products: all.length, totals: [all.map((_, i) => i)] };
  const coherent = reconcile(hierarchy, [shop.predict(AHEAD), ...automatic], 'variance', errors);
  const measured = {
    automatic: scores(past, future, automatic),
    reconciled: scores(past, future, coherent.slice(1)),
    naive: scores(past, future, naive),
  };
  const total = sumOf(future);
  return {
    figures: {
      retailProducts: all.length,
      retailMase: measured.automatic.mase,
      retailNaiveMase: measured.naive.mase,
      retailWape: measured.automatic.wape,
      retailCoverage95: covered,
      retailIncoherence: incoherence(coherent),
      retailSeconds: seconds,
    },
    table: {
      title: `Online Retail, weekly demand of ${all.length} products, ${AHEAD} weeks ahead`,
      columns: ['method', 'MASE', 'WAPE of products, %', 'WAPE of the total, %'],
      rows: [
        rowOf('automatic', measured.automatic, wape(total, sumOf(automatic))),
        rowOf('automatic, reconciled', measured.reconciled, wape(total, coherent[0]!)),
        rowOf('(seasonal) naive', measured.naive, wape(total, sumOf(naive))),
      ],
    },
  };
}

/** Units sold by product and week, cancellations and returns left out. */
function weekly(): Float64Array[] {
  const rows = parse(gunzipSync(readFileSync(FILE)), { from_line: 2 }) as string[][];
  const products = new Map<string, Float64Array>();
  for (const [invoice, code, , quantity, date] of rows) {
    const units = Number(quantity);
    const week = Math.floor((Date.parse(`${date!.replace(' ', 'T')}Z`) - FIRST) / MS_PER_WEEK);
    if (invoice!.startsWith('C') || !(units > 0) || !(week >= 0 && week < WEEKS)) continue;
    const demand = products.get(code!) ?? new Float64Array(WEEKS);
    demand[week]! += units;
    products.set(code!, demand);
  }
  return [...products.values()].filter((demand) => {
    const sold = demand.subarray(0, WEEKS - AHEAD).filter((units) => units > 0).length;
    return sold >= LEAST_WEEKS && demand.findIndex((units) => units > 0) < FIRST_BY;
  });
}

interface Scores {
  readonly mase: number;
  readonly wape: number;
}

function scores(
  past: readonly Series[],
  future: readonly Float64Array[],
  forecasts: readonly Float64Array[],
): Scores {
  const flat = (each: readonly Float64Array[]): number[] => each.flatMap((values) => [...values]);
  return {
    mase: mean(past.map(({ values }, i) => mase(future[i]!, forecasts[i]!, values, 1))),
    wape: wape(flat(future), flat(forecasts)),
  };
}

/** The largest difference between the total and the sum of its products, as a share of the total. */
function incoherence([total, ...products]: readonly Float64Array[]): number {
  const sum = sumOf(products);
  return Math.max(...total!.map((value, k) => Math.abs(value - sum[k]!) / Math.abs(value)));
}

function sumOf(all: readonly Float64Array[]): Float64Array {
  return all[0]!.map((_, k) => all.reduce((sum, values) => sum + values[k]!, 0));
}

function rowOf(name: string, { mase: m, wape: products }: Scores, total: number): string[] {
  return [name, m.toFixed(3), (100 * products).toFixed(1), (100 * total).toFixed(1)];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
