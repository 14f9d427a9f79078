import { describe, expect, it } from 'vitest';
import { hasData, HILLSTROM, hillstrom } from '../../bench/models-data.ts';
import { BoostingRegression } from '../../models/boosting/boosting.ts';
import { upliftMetrics } from '../../models/evaluate/uplift.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import { matrixOf } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import type { UpliftLearner } from '../../models/uplift/learners.ts';
import { Uplift } from '../../models/uplift/learners.ts';
import { upliftFromJSON } from '../../models/uplift/uplift-model.ts';
import { expectInvalid } from './estimator-contract.ts';

/** A trial in which only people with `a` above 0 are moved, by 20 points. */
function trial(seed: number, rows: number) {
  const random = new Random(seed);
  const treated = new Uint8Array(rows);
  const y = new Uint8Array(rows);
  const effect = new Float64Array(rows);
  const X = matrixOf(
    Array.from({ length: rows }, (_, i) => {
      const [a, b] = [random.normal(), random.normal()];
      treated[i] = random.next() < 0.4 ? 1 : 0;
      effect[i] = a > 0 ? 0.2 : 0;
      y[i] = random.next() < 0.2 + 0.1 * Math.tanh(b) + treated[i]! * effect[i]! ? 1 : 0;
      return [a, b];
    }),
    ['a', 'b'],
  );
  return { X, treated, y, effect };
}

const make = (learner: UpliftLearner) =>
  new Uplift({
    learner,
    outcome: new Logistic(),
    effect: new BoostingRegression({ trees: 30, minLeaf: 100 }),
  });

describe('uplift learners', () => {
  const train = trial(1, 12_000);
  const test = trial(2, 6000);

  for (const learner of ['s', 't', 'x', 'dr'] as const) {
    it(`${learner} finds whom the treatment moves, the same again and through JSON`, () => {
      const model = make(learner).fit(train.X, train.treated, train.y);
      const said = model.predict(test.X);
      const mean = (moved: boolean) => {
        const of = said.filter((_, i) => test.effect[i]! > 0 === moved);
        return of.reduce((sum, value) => sum + value, 0) / of.length;
      };
      expect(mean(true)).toBeGreaterThan(0.13);
      expect(Math.abs(mean(false))).toBeLessThan(0.06);
      const ideal = upliftMetrics({ ...test, uplift: test.effect }).qini;
      expect(upliftMetrics({ ...test, uplift: said }).qini).toBeGreaterThan(ideal - 0.02);
      const json = JSON.stringify(model);
      expect(JSON.stringify(make(learner).fit(train.X, train.treated, train.y))).toBe(json);
      expect(upliftFromJSON(JSON.parse(json)).predict(test.X)).toEqual(said);
    });
  }

  it('refuses what is no trial', () => {
    const { X, treated, y } = trial(3, 50);
    expectInvalid(() => make('t').fit(X, new Uint8Array(50), y));
    expectInvalid(() => make('t').fit(X, treated.slice(1), y));
    expectInvalid(() =>
      make('s').fit(
        X,
        Float64Array.from(treated, (value) => value / 2),
        y,
      ),
    );
    expectInvalid(() => new Uplift({ learner: 'dr', outcome: new Logistic() }).fit(X, treated, y));
    expectInvalid(() => upliftFromJSON({ kind: 'uplift', format: 9 }));
    expectInvalid(() => upliftFromJSON(null));
  });
});

describe.skipIf(!hasData(HILLSTROM))('on Hillstrom', { timeout: 60_000 }, () => {
  it.each([
    ['any', 0.0373],
    ['women', 0.0633],
  ] as const)('the S-learner for %s mail is as good as the best known', (mail, known) => {
    const { train, test } = hillstrom(mail);
    const model = new Uplift({ learner: 's', outcome: new Logistic() });
    const uplift = model.fit(train.X, train.treated, train.y).predict(test.X);
    expect(upliftMetrics({ ...test, uplift }).qini).toBeGreaterThan(known - 0.005);
  });
});
