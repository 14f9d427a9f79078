import type { EtsForm, EtsParameters, EtsRun, EtsState } from './ets-run.ts';
import { formName, projectEts, runEts } from './ets-run.ts';
import { nelderMead } from './nelder-mead.ts';
import { decompose } from './season.ts';
import type { FittedForecaster, ForecastJson, Forecaster, Series } from './series.ts';
import { checkHorizon, checkSeries, meanOf } from './series.ts';

export interface EtsOptions {
  /** Only these forms are tried; all that the data allow where absent. */
  readonly forms?: readonly EtsForm[];
  /** Longest season that is smoothed, in steps; a longer one has too many states to be learnt. */
  readonly longestSeason?: number;
  /** How many of the best forms also get their starting level and slope optimised. */
  readonly refined?: number;
}

interface Candidate {
  readonly form: EtsForm;
  readonly at: Float64Array;
  readonly aicc: number;
}

/** What one form starts from, before its level and slope are optimised. */
interface Start {
  readonly level: number;
  readonly slope: number;
  readonly season: Float64Array;
}

/**
 * Exponential smoothing in state-space form (Hyndman, Koehler, Snyder, Grose 2002), the form chosen by AICc. Smoothing
 * parameters by Nelder–Mead for every form, then level and slope at the start too for the best few: the seasons start
 * from a classical decomposition.
 */
export class Ets implements Forecaster {
  readonly kind = 'ets';
  readonly options: EtsOptions;

  constructor(options: EtsOptions = {}) {
    this.options = options;
  }

  fit(series: Series): FittedEts {
    checkSeries(series);
    const { refined = 2, longestSeason = 24 } = this.options;
    const y = series.values;
    const period =
      series.period > 1 && series.period <= longestSeason && y.length >= 2 * series.period + 3
        ? series.period
        : 1;
    const forms = (this.options.forms ?? allForms()).filter((form) => allows(form, y, period));
    const starts = startsOf(y, period);
    const ranked = (forms.length > 0 ? forms : [SIMPLE])
      .map((form) => search(y, form, starts(form), undefined))
      .toSorted((a, b) => a.aicc - b.aicc);
    const best = ranked
      .slice(0, refined)
      .map(({ form, at }) => search(y, form, starts(form), at))
      .concat(ranked[0]!)
      .reduce((a, b) => (b.aicc < a.aicc ? b : a));
    return finish(y, best, starts(best.form));
  }
}

export class FittedEts implements FittedForecaster {
  readonly kind = 'ets';
  readonly form: EtsForm;
  readonly parameters: EtsParameters;
  readonly aicc: number;
  readonly #state: EtsState;
  readonly #seen: number;

  constructor(
    form: EtsForm,
    parameters: EtsParameters,
    aicc: number,
    state: EtsState,
    seen: number,
  ) {
    this.form = form;
    this.parameters = parameters;
    this.aicc = aicc;
    this.#state = state;
    this.#seen = seen;
  }

  /** As the books write it: `ETS(M,Ad,M)`. */
  get name(): string {
    return formName(this.form);
  }

  predict(horizon: number): Float64Array {
    checkHorizon(horizon);
    return projectEts(this.form, this.parameters.phi, this.#state, this.#seen, horizon);
  }

  toJSON(): ForecastJson {
    const { level, slope, season } = this.#state;
    return {
      kind: 'ets',
      format: 1,
      form: this.form,
      parameters: this.parameters,
      aicc: this.aicc,
      seen: this.#seen,
      state: { level, slope, season: [...season] },
    };
  }

  static fromJSON(json: ForecastJson): FittedEts {
    const state = json['state'] as { level: number; slope: number; season: number[] };
    return new FittedEts(
      json['form'] as EtsForm,
      json['parameters'] as EtsParameters,
      json['aicc'] as number,
      { ...state, season: Float64Array.from(state.season) },
      json['seen'] as number,
    );
  }
}

const SIMPLE: EtsForm = { error: 'A', trend: 'N', season: 'N' };

function allForms(): EtsForm[] {
  const forms: EtsForm[] = [];
  for (const error of ['A', 'M'] as const) {
    for (const trend of ['N', 'A', 'Ad'] as const) {
      for (const season of ['N', 'A', 'M'] as const) forms.push({ error, trend, season });
    }
  }
  // Additive errors on a multiplicative season have no finite variance far ahead.
  return forms.filter(({ error, season }) => !(error === 'A' && season === 'M'));
}

function allows(form: EtsForm, y: Float64Array, period: number): boolean {
  if (form.season !== 'N' && period === 1) return false;
  if ((form.season === 'M' || form.error === 'M') && !y.every((value) => value > 0)) return false;
  return y.length >= countOf(form, period) + 3;
}

/** Parameters and starting states, and the variance: what AICc is charged for. */
function countOf({ trend, season }: EtsForm, period: number): number {
  const trends = { N: 0, A: 2, Ad: 3 }[trend];
  return 3 + trends + (season === 'N' ? 0 : period);
}

/** Starting states: seasons of the classical decomposition, a line through the first ten adjusted values. */
function startsOf(y: Float64Array, period: number): (form: EtsForm) => Start {
  const cache = new Map<string, Start>();
  return ({ trend, season }) => {
    const key = `${trend === 'N'}${season}`;
    const known = cache.get(key);
    if (known) return known;
    const parts =
      season === 'N'
        ? { adjusted: y, indexes: new Float64Array(1) }
        : decompose({ values: y, period }, season === 'M');
    const n = Math.min(parts.adjusted.length, Math.max(10, period));
    const mean = meanOf(parts.adjusted, 0, n);
    let [above, below] = [0, 0];
    for (let t = 0; t < n; t++) {
      above += (t - (n - 1) / 2) * (parts.adjusted[t]! - mean);
      below += (t - (n - 1) / 2) ** 2;
    }
    const slope = trend === 'N' || below === 0 ? 0 : above / below;
    const level = trend === 'N' ? mean : mean - (slope * (n + 1)) / 2;
    const start = { level, slope, season: parts.indexes };
    cache.set(key, start);
    return start;
  };
}

const squash = (x: number): number => 1 / (1 + Math.exp(-x));

/** Free numbers to parameters within the usual region: 0 < β < α < 1, 0 < γ < 1 − α, 0.8 ≤ φ ≤ 0.98. */
function decode({ trend, season }: EtsForm, x: Float64Array): EtsParameters {
  let at = 0;
  const alpha = 1e-4 + 0.9998 * squash(x[at++]!);
  const beta = trend === 'N' ? 0 : alpha * (1e-4 + 0.9998 * squash(x[at++]!));
  const phi = trend === 'Ad' ? 0.8 + 0.18 * squash(x[at++]!) : 1;
  const gamma = season === 'N' ? 0 : (1 - alpha) * (1e-4 + 0.9998 * squash(x[at++]!));
  return { alpha, beta, gamma, phi };
}

/** How many numbers `decode` reads. */
function freeOf({ trend, season }: EtsForm): number {
  return 1 + { N: 0, A: 1, Ad: 2 }[trend] + (season === 'N' ? 0 : 1);
}

/** Smoothing parameters alone, or with `from` also level and slope at the start, in units of the mean. */
function search(
  y: Float64Array,
  form: EtsForm,
  start: Start,
  from: Float64Array | undefined,
): Candidate {
  const free = freeOf(form);
  const states = form.trend === 'N' ? 1 : 2;
  const scale = Math.max(Math.abs(meanOf(y)), 1e-9);
  const state: EtsState = { level: 0, slope: 0, season: new Float64Array(start.season.length) };
  const out: EtsRun = { fit: 0, squares: 0 };
  const objective = (x: Float64Array): number => {
    begin(state, start, x, free, scale);
    runEts(y, form, decode(form, x), state, out);
    return out.fit;
  };
  const first = new Float64Array(free + states);
  const steps = new Float64Array(from ? free + states : free).fill(1);
  if (from) {
    first.set(from);
    steps.fill(0.5, 0, free);
    steps[free] = 0.1;
    if (states === 2) steps[free + 1] = 0.005;
  } else {
    first.set([-1, -2, 1, -2].slice(0, free));
    if (form.trend === 'A') first[2] = -2;
    if (form.trend === 'N' && form.season !== 'N') first[1] = -2;
    if (form.season === 'N' && form.trend === 'N') first[0] = 0;
  }
  const { at, value } = nelderMead(
    objective,
    from ? first : first.subarray(0, free),
    steps,
    from
      ? { evaluations: 60 * free + 60, tolerance: 1e-7 }
      : { evaluations: 35 * free + 10, tolerance: 1e-5 },
  );
  const whole = new Float64Array(free + states);
  whole.set(at);
  const count = countOf(form, start.season.length);
  return {
    form,
    at: whole,
    aicc: value + 2 * count + (2 * count * (count + 1)) / Math.max(y.length - count - 1, 1),
  };
}

function begin(state: EtsState, start: Start, x: Float64Array, free: number, scale: number): void {
  state.level = start.level + (x.length > free ? x[free]! * scale : 0);
  state.slope = start.slope + (x.length > free + 1 ? x[free + 1]! * scale : 0);
  state.season.set(start.season);
}

function finish(y: Float64Array, { form, at, aicc }: Candidate, start: Start): FittedEts {
  const scale = Math.max(Math.abs(meanOf(y)), 1e-9);
  const state: EtsState = { level: 0, slope: 0, season: new Float64Array(start.season.length) };
  begin(state, start, at, freeOf(form), scale);
  const parameters = decode(form, at);
  runEts(y, form, parameters, state, { fit: 0, squares: 0 });
  return new FittedEts(form, parameters, aicc, state, y.length);
}
