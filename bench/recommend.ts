import { recommendationMetrics } from '../models/evaluate/recommendation.ts';
import { Als } from '../models/recommend/als.ts';
import { Content } from '../models/recommend/content.ts';
import { Ease } from '../models/recommend/ease.ts';
import { Hybrid } from '../models/recommend/hybrid.ts';
import { ItemKnn } from '../models/recommend/item-knn.ts';
import { Popularity } from '../models/recommend/popularity.ts';
import { profileAt } from '../models/recommend/recommender.ts';
import type { RecommenderEstimator } from '../models/recommend/recommender.ts';
import { hasData } from './models-data.ts';
import { MOVIELENS, movieLens, onlineRetail, RETAIL } from './recommend/data.ts';
import type { Split } from './recommend/data.ts';
import type { BenchOptions, BenchResult, BenchTable } from './support/result.ts';
import { spread, spreadText } from './support/result.ts';

const SHOPS = [
  { key: 'movielens', title: 'MovieLens-100K, published fold', file: MOVIELENS, read: movieLens },
  {
    key: 'onlineRetail',
    title: 'Online Retail, before and after 2011-10-01',
    file: RETAIL,
    read: onlineRetail,
  },
] as const;

/** Each recommender on both shops: nDCG@10 of new items, by the protocol of the references, and its times. */
export async function run({ rounds, log }: BenchOptions): Promise<BenchResult> {
  const figures: Record<string, number> = {};
  const tables: BenchTable[] = [];
  const notes: string[] = [];
  for (const { key, title, file, read } of SHOPS) {
    if (!hasData(file)) {
      notes.push(`${file} is absent: no ${title}.`);
      continue;
    }
    const split = read();
    const { train, test } = split;
    const cases = [...test].map(([p, relevant]) => ({ profile: profileAt(train, p), relevant }));
    const rows: (string | number)[][] = [];
    for (const [name, estimator] of Object.entries(contenders(split))) {
      const seconds: number[] = [];
      // Only EASE's time is published; the rest are fitted once, since their ranking is no chance.
      let model = timed(() => estimator.fit(train), seconds);
      for (let r = 1; r < rounds && name === 'Ease'; r++) {
        model = timed(() => estimator.fit(train), seconds);
      }
      const answering: number[] = [];
      const population = train.people.length;
      const metrics = timed(() => recommendationMetrics(model, cases, { population }), answering);
      figures[`${key}${name}Ndcg`] = metrics.ndcg;
      if (name === 'Ease') {
        const shop = key === 'movielens' ? 'Movielens' : 'OnlineRetail';
        figures[`easeFitSeconds${shop}`] = spread(seconds).median;
      }
      const perSecond = cases.length / answering[0]!;
      figures[`${key}${name}AnswersPerSecond`] = perSecond;
      log(`${key} ${name}: nDCG ${metrics.ndcg.toFixed(4)}`);
      const { ndcg, precision, recall, coverage } = metrics;
      rows.push([
        name,
        ...[ndcg, precision, recall, coverage].map((value) => value.toFixed(4)),
        metrics.novelty.toFixed(2),
        metrics.popularityBias.toFixed(2),
        spreadText(seconds, 2),
        Math.round(perSecond),
      ]);
    }
    tables.push({
      title: `${title}: ${train.people.length} people, ${train.items.length} items, ${cases.length} tested`,
      columns:
        'model,nDCG@10,precision,recall,coverage,novelty,popularity bias,fit s,answers/s'.split(
          ',',
        ),
      rows,
    });
  }
  return { figures, ratios: {}, tables, notes };
}

function timed<T>(work: () => T, seconds: number[]): T {
  const started = performance.now();
  const result = work();
  seconds.push((performance.now() - started) / 1000);
  return result;
}

function contenders({ text, inner }: Split): Record<string, RecommenderEstimator> {
  const slice = inner();
  const [ease, als, knn] = [new Ease(), new Als(), new ItemKnn()];
  const popular = new Popularity();
  const walk = new ItemKnn({ similarity: 'walk', neighbours: 1000 });
  const hybrid = new Hybrid(
    [
      { name: 'ease', estimator: ease },
      { name: 'ease on the recent', estimator: ease, recentDays: 60 },
      { name: 'als', estimator: als },
      { name: 'item-knn', estimator: knn },
      { name: 'walk', estimator: walk },
      { name: 'popular', estimator: popular },
      { name: 'trending in 14 days', estimator: new Popularity({ halfLifeDays: 14 }) },
      { name: 'trending in 60 days', estimator: new Popularity({ halfLifeDays: 60 }) },
      { name: 'content', estimator: new Content(text) },
    ],
    { train: slice.train, later: slice.test },
  );
  return { Popularity: popular, ItemKnn: knn, Walk: walk, Als: als, Ease: ease, Hybrid: hybrid };
}
