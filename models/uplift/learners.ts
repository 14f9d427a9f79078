import { checkMatrix, checkParam, invalid } from '../check.ts';
import type { BinaryModel, Estimator, FitContext, RegressionModel } from '../estimator.ts';
import { advance, partOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { takeRows, takeTarget } from '../matrix.ts';
import { stratifiedFolds } from '../splits.ts';
import type { UpliftPart } from './uplift-model.ts';
import { FittedUplift, interacted } from './uplift-model.ts';

/** S: one model with the treatment as a column; T: one for each arm; X and DR: from imputed or corrected effects. */
export type UpliftLearner = 's' | 't' | 'x' | 'dr';

export interface UpliftOptions {
  readonly learner: UpliftLearner;
  /** Says P(outcome): any estimator of a yes or no. */
  readonly outcome: Estimator<BinaryModel>;
  /** Learns effects as numbers, for X and DR: any regression. */
  readonly effect?: Estimator<RegressionModel>;
  /** Chance of being treated; the share of the treated by default, which is right for a randomised trial. */
  readonly propensity?: number;
  /** Parts in X and DR: outcomes that effects are made of come from models that have not seen the row; 5 by default. */
  readonly folds?: number;
  readonly seed?: number;
}

/**
 * What a treatment changes for whom, from a randomised trial: S-, T- and X-learner (Künzel, Sekhon, Bickel, Yu 2019) and
 * DR-learner with cross-fitting (Kennedy 2020). `fit` reads the treatment (1 treated, 0 not) beside the outcome.
 */
export class Uplift {
  readonly options: UpliftOptions;

  constructor(options: UpliftOptions) {
    this.options = options;
  }

  /** Errors: MODEL_INVALID where an arm is absent, or X and DR have no `effect`; else those of the base estimators. */
  fit(X: Matrix, treated: Target, y: Target, ctx: FitContext = {}): FittedUplift {
    checkMatrix(X, 'accepts');
    checkTrial(X, treated, y);
    const { learner } = this.options;
    advance(ctx, 0, `${learner}-learner`);
    const parts =
      learner === 's'
        ? this.#single(X, treated, y, ctx)
        : learner === 't'
          ? this.#arms(X, treated, y, ctx)
          : this.#effects(X, treated, y, ctx);
    advance(ctx, 1, `${learner}-learner`);
    return new FittedUplift([...X.names], learner, parts);
  }

  #single(X: Matrix, treated: Target, y: Target, ctx: FitContext): UpliftPart[] {
    const model = this.options.outcome.fit(interacted(X, treated), y, partOf(ctx, 0, 0.99));
    return [{ weight: 1, model }];
  }

  #arms(X: Matrix, treated: Target, y: Target, ctx: FitContext): UpliftPart[] {
    return [1, 0].map((arm) => {
      const rows = rowsOf(treated, arm);
      const half = partOf(ctx, arm === 1 ? 0 : 0.5, arm === 1 ? 0.5 : 0.99);
      const model = this.options.outcome.fit(takeRows(X, rows), takeTarget(y, rows), half);
      return { weight: arm === 1 ? 1 : -1, model };
    });
  }

  #effects(X: Matrix, treated: Target, y: Target, ctx: FitContext): UpliftPart[] {
    const { learner, effect, seed = 1, folds = 5 } = this.options;
    if (!effect) {
      throw invalid(
        `The ${learner}-learner needs an estimator of effects; give a regression as effect.`,
      );
    }
    const share = Array.from(treated).reduce((sum, value) => sum + value, 0) / X.rows;
    const propensity = this.options.propensity ?? share;
    checkParam('propensity', propensity, 0.001, 0.999);
    checkParam('folds', folds, 2, 100);
    const [with_, without] = [new Float64Array(X.rows), new Float64Array(X.rows)];
    // Arms and outcomes keep their shares in each part.
    const stratum = Uint8Array.from(treated, (value) => value);
    stratifiedFolds(stratum, folds, seed).forEach(({ train, later }, f) => {
      const part = partOf(ctx, (0.7 * f) / folds, (0.7 * (f + 1)) / folds);
      const [one, zero] = this.#arms(
        takeRows(X, train),
        takeTarget(treated, train),
        takeTarget(y, train),
        part,
      );
      const held = takeRows(X, later);
      const [p1, p0] = [one!, zero!].map(({ model }) => (model as BinaryModel).predictProba(held));
      later.forEach((row, i) => {
        with_[row] = p1![i]!;
        without[row] = p0![i]!;
      });
    });
    const last = partOf(ctx, 0.7, 0.99);
    if (learner === 'dr') {
      const pseudo = Float64Array.from({ length: X.rows }, (_, i) =>
        treated[i] === 1
          ? with_[i]! - without[i]! + (y[i]! - with_[i]!) / propensity
          : with_[i]! - without[i]! - (y[i]! - without[i]!) / (1 - propensity),
      );
      return [{ weight: 1, model: effect.fit(X, pseudo, last) }];
    }
    return [1, 0].map((arm) => {
      const rows = rowsOf(treated, arm);
      const imputed = Float64Array.from(rows, (i) =>
        arm === 1 ? y[i]! - without[i]! : with_[i]! - y[i]!,
      );
      // Effects imputed for the smaller arm rest on the larger one's model, so they weigh more.
      const weight = arm === 1 ? 1 - propensity : propensity;
      return {
        weight,
        model: effect.fit(takeRows(X, rows), imputed, { ...last, onProgress: () => {} }),
      };
    });
  }
}

function rowsOf(treated: Target, arm: number): Int32Array {
  return Int32Array.from(Array.from(treated.keys()).filter((i) => treated[i] === arm));
}

export function checkTrial(X: Matrix, treated: Target, y: Target): void {
  if (treated.length !== X.rows || y.length !== X.rows) {
    throw invalid(
      `There are ${treated.length} treatments and ${y.length} outcomes for ${X.rows} rows; expected one each.`,
    );
  }
  const count = [0, 0];
  for (let i = 0; i < X.rows; i++) {
    const own = treated[i]!;
    if (own !== 0 && own !== 1) {
      throw invalid(`The treatment is ${own} in row ${i}; expected 0 or 1.`, { row: i });
    }
    count[own]! += 1;
  }
  if (count[0] === 0 || count[1] === 0) {
    throw invalid(
      `All ${X.rows} rows are ${count[0] === 0 ? 'treated' : 'untreated'}; expected both arms of a trial.`,
    );
  }
}
