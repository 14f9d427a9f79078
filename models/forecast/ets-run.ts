/** One member of the ETS family: error, trend and season, each none, additive, multiplicative (or damped). */
export interface EtsForm {
  readonly error: 'A' | 'M';
  readonly trend: 'N' | 'A' | 'Ad';
  readonly season: 'N' | 'A' | 'M';
}

export interface EtsParameters {
  readonly alpha: number;
  /** 0 without a trend. */
  readonly beta: number;
  /** 0 without a season. */
  readonly gamma: number;
  /** 1 where the trend is not damped. */
  readonly phi: number;
}

/** What the model knows after a step. `season[t % period]` is the index of step t. */
export interface EtsState {
  level: number;
  slope: number;
  readonly season: Float64Array;
}

export interface EtsRun {
  /** n log Σe² (+ 2 Σ log |ŷ| for multiplicative errors): −2 log-likelihood up to a constant. */
  fit: number;
  /** Σe², relative errors where the error is multiplicative. */
  squares: number;
}

export function formName({ error, trend, season }: EtsForm): string {
  return `ETS(${error},${trend},${season})`;
}

/**
 * Filters the values, changing `state` from before the first to after the last (Hyndman, Koehler, Ord, Snyder:
 * Forecasting with Exponential Smoothing, ch. 2). Infinite `fit` where the form cannot have made the data.
 */
export function runEts(
  y: Float64Array,
  form: EtsForm,
  { alpha, beta, gamma, phi }: EtsParameters,
  state: EtsState,
  out: EtsRun,
): void {
  const relative = form.error === 'M';
  const kind = form.season === 'N' ? 0 : form.season === 'A' ? 1 : 2;
  const season = state.season;
  const period = season.length;
  const pull = form.trend === 'N' ? 0 : beta / alpha;
  let { level, slope } = state;
  let squares = 0;
  let logs = 0;
  let at = 0;
  for (let t = 0; t < y.length; t++) {
    const value = y[t]!;
    const base = level + phi * slope;
    const index = kind === 0 ? 0 : season[at]!;
    const expected = kind === 0 ? base : kind === 1 ? base + index : base * index;
    let error = value - expected;
    if (relative) {
      if (!(expected > 0)) {
        squares = Infinity;
        break;
      }
      error /= expected;
      logs += Math.log(expected);
    }
    squares += error * error;
    const bare = kind === 0 ? value : kind === 1 ? value - index : value / index;
    const next = base + alpha * (bare - base);
    slope = phi * slope + pull * (next - level - phi * slope);
    level = next;
    if (kind === 1) season[at] = index + gamma * (value - base - index);
    else if (kind === 2) {
      if (!(base > 0)) {
        squares = Infinity;
        break;
      }
      season[at] = index + gamma * (value / base - index);
    }
    if (++at === period) at = 0;
  }
  state.level = level;
  state.slope = slope;
  out.squares = squares;
  out.fit = y.length * Math.log(Math.max(squares, 1e-300)) + 2 * logs;
}

/** The point forecasts from a state that has seen `seen` values. */
export function projectEts(
  { season: kind }: EtsForm,
  phi: number,
  { level, slope, season }: EtsState,
  seen: number,
  horizon: number,
): Float64Array {
  const forecast = new Float64Array(horizon);
  let damping = 0;
  let power = 1;
  for (let k = 0; k < horizon; k++) {
    power *= phi;
    damping += power;
    const base = level + damping * slope;
    const index = kind === 'N' ? 0 : season[(seen + k) % season.length]!;
    forecast[k] = kind === 'N' ? base : kind === 'A' ? base + index : base * index;
  }
  return forecast;
}
