import { KairosError } from '../domain/errors.ts';
import { FittedGaussianBayes } from './bayes/gaussian.ts';
import { FittedMultinomialBayes } from './bayes/multinomial.ts';
import { FittedLinearRegression } from './linear/regression.ts';
import { FittedNet } from './net/net.ts';
import { FittedSvmLinear } from './svm/linear.ts';
import { FittedSvmRbf } from './svm/rbf.ts';
import { FittedConstant, FittedRecencyRule } from './baseline.ts';
import { FittedHierarchical } from './cluster/hierarchical.ts';
import { FittedKMeans } from './cluster/kmeans.ts';
import { FittedRfmClusters } from './cluster/rfm.ts';
import { FittedBoosting, FittedBoostingRegression } from './boosting/boosting.ts';
import { invalid, invalidJson } from './check.ts';
import type { BinaryModel, Model, ModelJson } from './estimator.ts';
import { FittedForest } from './forest/forest.ts';
import { FittedMlForest } from './forest/ml-forest.ts';
import { FittedForestRegression } from './forest/regression.ts';
import { FittedBgNbd } from './lifetime/bg-nbd.ts';
import { FittedChurn } from './lifetime/churn.ts';
import { FittedGammaGamma } from './lifetime/gamma-gamma.ts';
import { FittedLogistic } from './logistic/logistic.ts';
import { FittedPipeline } from './preprocess/pipeline.ts';
import { FittedDecisionTree, FittedTreeRegression } from './tree/decision-tree.ts';

/** Every kind of fitted model, by the name that its JSON carries. Kinds are stored: never rename one. */
const READERS: Readonly<Record<string, (json: ModelJson) => Model>> = {
  constant: (json) => FittedConstant.fromJSON(json),
  'recency-rule': (json) => FittedRecencyRule.fromJSON(json),
  logistic: (json) => FittedLogistic.fromJSON(json),
  'linear-regression': (json) => FittedLinearRegression.fromJSON(json),
  'gaussian-bayes': (json) => FittedGaussianBayes.fromJSON(json),
  'multinomial-bayes': (json) => FittedMultinomialBayes.fromJSON(json),
  'svm-linear': (json) => FittedSvmLinear.fromJSON(json),
  'svm-rbf': (json) => FittedSvmRbf.fromJSON(json),
  net: (json) => FittedNet.fromJSON(json),
  forest: (json) => FittedForest.fromJSON(json),
  'forest-regression': (json) => FittedForestRegression.fromJSON(json),
  boosting: (json) => FittedBoosting.fromJSON(json),
  'boosting-regression': (json) => FittedBoostingRegression.fromJSON(json),
  tree: (json) => FittedDecisionTree.fromJSON(json),
  'tree-regression': (json) => FittedTreeRegression.fromJSON(json),
  'ml-forest': (json) => FittedMlForest.fromJSON(json),
  kmeans: (json) => FittedKMeans.fromJSON(json),
  hierarchical: (json) => FittedHierarchical.fromJSON(json),
  'rfm-clusters': (json) => FittedRfmClusters.fromJSON(json),
  'bg-nbd': (json) => FittedBgNbd.fromJSON(json),
  'gamma-gamma': (json) => FittedGammaGamma.fromJSON(json),
  churn: (json) => FittedChurn.fromJSON(json),
  pipeline: (json) => FittedPipeline.fromJSON(json, binaryModelFromJSON),
};

export const MODEL_KINDS: readonly string[] = Object.keys(READERS);

/** A stored model, ready to predict. MODEL_UNKNOWN for a kind that is not here, MODEL_INVALID for damaged JSON. */
export function modelFromJSON(json: unknown): Model {
  if (typeof json !== 'object' || json === null || !('kind' in json)) {
    throw invalid('The stored model is no object with a kind; it is damaged, so train it again.');
  }
  const kind = String(json.kind);
  const read = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined;
  if (!read) {
    throw new KairosError(
      'MODEL_UNKNOWN',
      `There is no kind of model "${kind}"; this version knows ${MODEL_KINDS.join(', ')}.`,
      { kind },
    );
  }
  try {
    return read(json as ModelJson);
  } catch (error) {
    if (error instanceof KairosError) throw error;
    throw invalidJson(kind, 'a part of it is absent or of another type');
  }
}

/** A stored model that says P(y = 1). */
export function binaryModelFromJSON(json: unknown): BinaryModel {
  const model = modelFromJSON(json);
  if ('task' in model && model.task === 'binary') return model as BinaryModel;
  throw invalid(`The stored model is "${model.kind}"; expected one that says a probability.`);
}

/** A stored clustering of customers with its names. */
export function clustersFromJSON(json: unknown): FittedRfmClusters {
  const model = modelFromJSON(json);
  if (model instanceof FittedRfmClusters) return model;
  throw invalid(`The stored model is "${model.kind}"; expected "rfm-clusters".`);
}
