import { BoostingRegression } from '../../models/boosting/boosting.ts';
import { upliftIntervals, upliftMetrics } from '../../models/evaluate/uplift.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import type { UpliftLearner } from '../../models/uplift/learners.ts';
import { Uplift } from '../../models/uplift/learners.ts';
import * as data from '../models-data.ts';
import type { FamilyOptions, FamilyResult } from './family.ts';

/** Best of seven learners of scikit-uplift, LightGBM and scikit-learn on the same halves: S, logistic, interactions. */
const BEST_KNOWN = { any: 0.0373, women: 0.0633 } as const;

/** Who visits because of the mail: the learners on the other half of the Hillstrom trial. */
export function uplift({ log }: FamilyOptions): Promise<FamilyResult> {
  if (!data.hasData(data.HILLSTROM)) {
    const notes = [`${data.HILLSTROM} is absent: no uplift.`];
    return Promise.resolve({ figures: {}, ratios: {}, tables: [], notes });
  }
  const figures: Record<string, number> = {};
  const rows: (string | number)[][] = [];
  for (const mail of ['any', 'women'] as const) {
    const { train, test } = data.hillstrom(mail);
    for (const learner of ['s', 't', 'x', 'dr'] as const satisfies readonly UpliftLearner[]) {
      const effect = new BoostingRegression({ trees: 50, maxLeaves: 8, minLeaf: 500 });
      const estimator = new Uplift({ learner, outcome: new Logistic(), effect });
      const started = performance.now();
      const model = estimator.fit(train.X, train.treated, train.y);
      const ms = Math.round(performance.now() - started);
      const judged = { ...test, uplift: model.predict(test.X) };
      const { qini, auuc, at30 } = upliftMetrics(judged);
      log(`uplift ${mail} ${learner}: Qini ${qini.toFixed(4)}, ${ms} ms`);
      if (learner === 's') {
        figures[mail === 'any' ? 'qini' : 'qiniWomen'] = qini;
        const { low, high } = upliftIntervals(judged, { rounds: 50 }).qini;
        rows.push([
          mail,
          learner,
          qini.toFixed(4),
          `${low.toFixed(3)} to ${high.toFixed(3)}`,
          auuc.toFixed(4),
          at30.toFixed(4),
          BEST_KNOWN[mail],
          ms,
        ]);
      } else
        rows.push([mail, learner, qini.toFixed(4), '', auuc.toFixed(4), at30.toFixed(4), '', ms]);
    }
  }
  return Promise.resolve({
    figures,
    ratios: {},
    tables: [
      {
        title:
          'Uplift of visits on Hillstrom, test half; logistic outcomes, boosted effects in X and DR',
        columns: 'mail,learner,Qini,95 %,AUUC,at 30 %,best known,fit ms'.split(','),
        rows,
      },
    ],
    notes: [],
  });
}
