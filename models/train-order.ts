import { MS_PER_DAY } from '../domain/clock.ts';
import { ORDER_HORIZON_DAYS } from '../domain/features.ts';
import { RecencyRule } from './baseline.ts';
import type { BinaryCard, Window } from './card.ts';
import { figures } from './card.ts';
import { checkBinaryTarget, checkParam, checkPredict, invalid } from './check.ts';
import type { Difference } from './compare.ts';
import { aucDifference } from './compare.ts';
import type { BinaryModel, Estimator, FitContext } from './estimator.ts';
import { advance, partOf } from './estimator.ts';
import { Forest } from './forest/forest.ts';
import { dataHash } from './hash.ts';
import { permutationImportance } from './importance.ts';
import type { Matrix, Target } from './matrix.ts';
import { takeRows, takeTarget } from './matrix.ts';
import type { BinaryMetrics } from './metrics.ts';
import { binaryMetrics, calibrationTable } from './metrics.ts';
import { sampleRows } from './splits.ts';

/** Rows of people at moments, what was known of them then, and whether they ordered within the horizon after it. */
export interface Dataset {
  readonly X: Matrix;
  readonly y: Target;
  /** The first and the last of the moments. */
  readonly window: Window;
}

export interface TrainOrderInput {
  readonly train: Dataset;
  /** Later moments: all figures are from here. */
  readonly later: Dataset;
  readonly seed: number;
  /** `order-30d` by default. */
  readonly name?: string;
  readonly horizonDays?: number;
  /** More training rows than this (20,000 by default) are sampled down to it, and the card says so. */
  readonly rowsMax?: number;
  /** Our own forest by default. */
  readonly estimator?: Estimator<BinaryModel>;
  /** The model in use, to compare with; left out of the card where it was learnt from other features. */
  readonly current?: BinaryModel;
  readonly ctx?: FitContext;
}

export interface TrainedOrder {
  readonly model: BinaryModel;
  readonly card: BinaryCard;
  /** Why the model must not be used: it loses to the recency rule on the later slice. */
  readonly refused?: string;
}

/**
 * Our forest with leaves of 40 people. Measured as of later moments of Online Retail, CDNOW and Complete Journey: the
 * usual leaves of 1 to 5 lose up to 0.015 of AUC, since few features say much about one order, and `ml-random-forest`
 * loses up to 0.1. Fewer rows than 1,600 get smaller leaves, else nothing would be left to ask.
 */
export function defaultOrderEstimator(rows: number, seed: number): Forest {
  const minLeaf = Math.min(LEAF, Math.max(5, Math.round(rows / LEAF)));
  return new Forest({ seed, trees: 200, minLeaf });
}

const LEAF = 40;
/** From here on more rows gained nothing on CDNOW (94,280 rows: AUC 0.8294, 20,000 of them: 0.8305), only seconds. */
const ROWS_MAX = 20_000;
const BASELINE = 'recency-rule';

/** Learns P(order within the horizon), judges it on the later slice beside the recency rule, and fills its card. */
export function trainOrderModel(input: TrainOrderInput): TrainedOrder {
  const { train, later, seed, ctx = {} } = input;
  const { name = 'order-30d', horizonDays = ORDER_HORIZON_DAYS, rowsMax = ROWS_MAX } = input;
  const estimator = input.estimator ?? defaultOrderEstimator(Math.min(rowsMax, train.X.rows), seed);
  checkParam('rowsMax', rowsMax, 2, 100_000_000);
  checkBinaryTarget(train.X, train.y);
  checkBinaryTarget(later.X, later.y);
  checkPredict(later.X, train.X.names, estimator.traits.missing);
  checkNoLeak(train.window, later.window, horizonDays);

  const rows = sampleRows(train.X.rows, rowsMax, seed);
  const X = takeRows(train.X, rows);
  const y = takeTarget(train.y, rows);
  const model = estimator.fit(X, y, partOf(ctx, 0, 0.7));
  const rule = new RecencyRule().fit(train.X, train.y);
  const p = model.predictProba(later.X);
  const byRule = rule.predictProba(later.X);
  const metrics = binaryMetrics(later.y, p);
  const ruleMetrics = binaryMetrics(later.y, byRule);
  advance(ctx, 0.75, 'judged on the later slice');
  const gain = aucDifference(later.y, p, byRule, { seed });
  advance(ctx, 0.85, 'compared with the recency rule');
  const importance = permutationImportance(model, later.X, later.y, { seed }, partOf(ctx, 0.85, 1));

  const card: BinaryCard = {
    name,
    kind: estimator.kind,
    params: estimator.params,
    seed,
    dataHash: dataHash(X, y),
    laterHash: dataHash(later.X, later.y),
    features: [...X.names],
    rowsGiven: train.X.rows,
    ...rowsUsedBy(model, X.rows),
    window: { train: train.window, later: later.window, horizonDays },
    metrics: figures(metrics),
    baseline: { kind: BASELINE, metrics: figures(ruleMetrics) },
    ...compared(input.current, later),
    aucGain: figures(gain),
    calibration: calibrationTable(later.y, p),
    importance,
    limits: [],
  };
  const whole = { ...card, limits: limitsOf(card, metrics, ruleMetrics, gain) };
  const refused = refusalOf(metrics, ruleMetrics);
  return refused === null ? { model, card: whole } : { model, card: whole, refused };
}

/** A training outcome that is only known after the later features are taken would teach the later outcome itself. */
function checkNoLeak(train: Window, later: Window, horizonDays: number): void {
  const known = train.toMs + horizonDays * MS_PER_DAY;
  if (later.fromMs >= known) return;
  const days = Math.ceil((known - later.fromMs) / MS_PER_DAY);
  throw invalid(
    `The later slice begins ${days} days before the outcomes of the training slice are known; move it ${days} days on.`,
  );
}

/** The model in use on the same slice; one that learnt from other features cannot be asked about these. */
function compared(current: BinaryModel | undefined, later: Dataset): Pick<BinaryCard, 'current'> {
  if (!current || current.names.join('\n') !== later.X.names.join('\n')) return {};
  const metrics = figures(binaryMetrics(later.y, current.predictProba(later.X)));
  return { current: { metrics } };
}

/** Some estimators sample once more. */
function rowsUsedBy(model: BinaryModel, given: number): { rowsUsed: number } {
  const used = 'rowsUsed' in model ? model.rowsUsed : given;
  return { rowsUsed: typeof used === 'number' ? used : given };
}

function refusalOf(metrics: BinaryMetrics, rule: BinaryMetrics): string | null {
  if (metrics.rocAuc >= rule.rocAuc) return null;
  return (
    `It ranks people worse than the recency rule on the later slice: ROC AUC ${metrics.rocAuc.toFixed(4)} ` +
    `against ${rule.rocAuc.toFixed(4)}.`
  );
}

function limitsOf(
  card: BinaryCard,
  metrics: BinaryMetrics,
  rule: BinaryMetrics,
  gain: Difference,
): string[] {
  const limits: string[] = [];
  if (card.rowsUsed < card.rowsGiven) {
    limits.push(`It learnt from a random ${card.rowsUsed} of ${card.rowsGiven} rows.`);
  }
  if (gain.estimate >= 0 && !(gain.low > 0)) {
    limits.push(
      `It is not proven better than the recency rule: the 95 % interval of the gain in ROC AUC is ` +
        `${gain.low.toFixed(4)} to ${gain.high.toFixed(4)}.`,
    );
  }
  if (metrics.logLoss > rule.logLoss) {
    limits.push(
      `Its probabilities are worse than the recency rule's (log loss ${metrics.logLoss.toFixed(4)} against ` +
        `${rule.logLoss.toFixed(4)}): use it to rank people, not to count orders.`,
    );
  }
  if (metrics.ece > 0.05) {
    limits.push(
      `Its probabilities were off by ${(100 * metrics.ece).toFixed(1)} points on average; see the calibration.`,
    );
  }
  const positives = Math.round(metrics.rate * metrics.rows);
  if (Math.min(positives, metrics.rows - positives) < 100) {
    limits.push(
      `It was judged on ${positives} orders among ${metrics.rows} people: its figures are rough.`,
    );
  }
  return limits;
}
