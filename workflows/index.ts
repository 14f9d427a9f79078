/** The registry: every export is a workflow type by its name, for ever. */
export { campaign } from './campaign/campaign.ts';
export { campaignShard } from './campaign/shard.ts';
export { modelDrift } from './training/drift.ts';
export { promotion } from './training/promotion.ts';
export { training } from './training/training.ts';
export { reconcile } from './reconcile.ts';
export { retention } from './retention.ts';
