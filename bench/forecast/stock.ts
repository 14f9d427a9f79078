import { propose } from '../../domain/stock.ts';
import type { DemandQuantiles } from '../../domain/stock.ts';
import type { FittedAutomatic } from '../../models/forecast/automatic.ts';
import { Automatic } from '../../models/forecast/automatic.ts';
import { Conformal, summed } from '../../models/forecast/conformal.ts';
import { Random } from '../../models/random.ts';
import type { BenchTable } from '../support/result.ts';

const [HISTORY, YEAR, PRODUCTS] = [104, 52, 20];
/** Weeks until a delivery, between reviews, and between fits of the forecast. */
const [LEAD, REVIEW, REFIT] = [2, 1, 4];
const LEVEL = 0.95;
/** Of a unit on hand for a week, and of a unit that could not be sold. */
const [HOLDING, SHORT] = [0.1, 2];
const PROBABILITIES = [0.5, 0.75, 0.9, 0.95, 0.98];

interface Outcome {
  cost: number;
  served: number;
  asked: number;
}

/** What may be ordered this week, by product, week and position. */
type Policy = (product: number, week: number, onHand: number, onOrder: number) => number;

/** A year of weekly orders by the forecast's policy and by a fixed (s, S) rule, on the same held-out demand. */
export function stockTable(seeds: readonly number[]): {
  figures: Record<string, number>;
  table: BenchTable;
} {
  const outcomes = seeds.map((seed) => {
    const demand = Array.from({ length: PRODUCTS }, (_, i) => demandOf(seed, i));
    return { ours: year(demand, byForecast(demand)), fixed: year(demand, fixedRule(demand)) };
  });
  const rows = outcomes.map(({ ours, fixed }, i) => [
    seeds[i]!,
    Math.round(ours.cost),
    Math.round(fixed.cost),
    level(ours).toFixed(3),
    level(fixed).toFixed(3),
  ]);
  const sum = (name: 'ours' | 'fixed'): number =>
    outcomes.reduce((total, each) => total + each[name].cost, 0);
  const least = Math.min(...outcomes.map(({ ours }) => level(ours)));
  return {
    figures: { stockCostRatio: sum('ours') / sum('fixed'), stockServiceLevel: least },
    table: {
      title: `Stock: ${PRODUCTS} made-up products for a year, lead time ${LEAD} weeks, forecast against a fixed (s, S) rule`,
      columns: ['seed', 'cost', 'cost, (s, S)', 'service level', 'service level, (s, S)'],
      rows,
    },
  };
}

const level = ({ served, asked }: Outcome): number => served / asked;

/** Levels of their own, trends up and down, and now and then a lasting step. */
function demandOf(seed: number, product: number): Float64Array {
  const random = new Random(seed, product);
  const trend = 0.008 * random.normal();
  const stepAt = HISTORY + random.int(2 * YEAR);
  const step = random.next() < 0.5 ? 0.6 : 1.6;
  const start = 20 + 80 * random.next();
  return Float64Array.from({ length: HISTORY + YEAR }, (_, t) => {
    const mean = start * Math.exp(trend * t) * (t >= stepAt ? step : 1);
    return Math.max(0, Math.round(mean + 1.5 * Math.sqrt(mean) * random.normal()));
  });
}

function year(demand: readonly Float64Array[], policy: Policy): Outcome {
  const outcome: Outcome = { cost: 0, served: 0, asked: 0 };
  demand.forEach((values, product) => {
    let onHand = Math.round(4 * values[HISTORY - 1]!);
    const coming: number[] = Array.from({ length: LEAD }, () => 0);
    for (let week = HISTORY; week < HISTORY + YEAR; week++) {
      onHand += coming.shift()!;
      const onOrder = coming.reduce((sum, units) => sum + units, 0);
      coming.push(policy(product, week, onHand, onOrder));
      const sold = Math.min(onHand, values[week]!);
      onHand -= sold;
      outcome.served += sold;
      outcome.asked += values[week]!;
      outcome.cost += HOLDING * onHand + SHORT * (values[week]! - sold);
    }
  });
  return outcome;
}

/** s and S from mean and spread of the last year, as a shop sets them once. */
function fixedRule(demand: readonly Float64Array[]): Policy {
  const levels = demand.map((values) => {
    const past = values.subarray(HISTORY - 52, HISTORY);
    const mean = past.reduce((sum, value) => sum + value, 0) / past.length;
    const spread = Math.sqrt(past.reduce((sum, v) => sum + (v - mean) ** 2, 0) / past.length);
    const weeks = LEAD + REVIEW;
    const s = weeks * mean + 1.645 * spread * Math.sqrt(weeks);
    return { s, S: s + mean };
  });
  return (product, _week, onHand, onOrder) => {
    const { s, S } = levels[product]!;
    const have = onHand + onOrder;
    return have > s ? 0 : Math.ceil(S - have);
  };
}

/** The forecast is fitted anew every few weeks, on what was sold until then. */
function byForecast(demand: readonly Float64Array[]): Policy {
  const horizon = LEAD + 2 * REVIEW + REFIT;
  const automatic = new Automatic({ horizon, origins: 3 });
  const plans = new Map<number, { fitted: FittedAutomatic[]; conformals: Conformal[] }>();
  const planAt = (week: number) => {
    const known = plans.get(week);
    if (known) return known;
    const fitted = demand.map((values) =>
      automatic.fit({ values: values.subarray(0, week), period: 52 }),
    );
    const trials = fitted.flatMap(({ backtests }) => backtests);
    const conformals = [LEAD + REVIEW, LEAD + 2 * REVIEW].map((weeks) =>
      Conformal.from(summed(trials, weeks)),
    );
    const plan = { fitted, conformals };
    plans.set(week, plan);
    return plan;
  };
  return (product, week, onHand, onOrder) => {
    const since = (week - HISTORY) % REFIT;
    const { fitted, conformals } = planAt(week - since);
    const forecast = fitted[product]!.predict(horizon);
    const over = (which: number): DemandQuantiles => {
      const weeks = LEAD + REVIEW + which * REVIEW;
      const sum = forecast.subarray(since, since + weeks).reduce((a, b) => a + b, 0);
      const values = PROBABILITIES.map((p) =>
        Math.max(0, conformals[which]!.quantile(p, 0, sum, fitted[product]!.scale)),
      );
      return { probabilities: PROBABILITIES, values };
    };
    return propose({ onHand, onOrder, reserved: 0 }, over(0), over(1), LEVEL).order;
  };
}
