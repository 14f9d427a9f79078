import { FittedAutomatic } from './automatic.ts';
import { FittedCombination } from './combine.ts';
import { FittedDynamicRegression } from './dynamic-regression.ts';
import { FittedEts } from './ets.ts';
import { FittedLogged } from './logged.ts';
import { FittedRepeat } from './naive.ts';
import type { FittedForecaster, ForecastJson } from './series.ts';
import { invalid } from './series.ts';
import { FittedTheta } from './theta.ts';

const READERS: Readonly<Record<string, (json: ForecastJson) => FittedForecaster>> = {
  theta: (json) => FittedTheta.fromJSON(json),
  ets: (json) => FittedEts.fromJSON(json),
  logged: (json) => FittedLogged.fromJSON(json, readForecaster),
  automatic: (json) => FittedAutomatic.fromJSON(json, readForecaster),
  combination: (json) => FittedCombination.fromJSON(json, readForecaster),
  'dynamic-regression': (json) => FittedDynamicRegression.fromJSON(json),
  'seasonal-naive': (json) => FittedRepeat.fromJSON(json),
  'window-mean': (json) => FittedRepeat.fromJSON(json),
  croston: (json) => FittedRepeat.fromJSON(json),
  sba: (json) => FittedRepeat.fromJSON(json),
  tsb: (json) => FittedRepeat.fromJSON(json),
};

/** A fitted forecaster from its JSON; MODEL_INVALID where its kind or format is unknown. */
export function readForecaster(json: ForecastJson): FittedForecaster {
  if (!Object.hasOwn(READERS, json.kind) || json.format !== 1) {
    throw invalid(
      `The forecaster is of kind "${json.kind}", format ${json.format}; expected format 1 of one of ${Object.keys(READERS).join(', ')}.`,
    );
  }
  return READERS[json.kind]!(json);
}
