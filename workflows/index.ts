/** The registry: every export is a workflow type by its name, for ever. */
export { campaign } from './campaign/campaign.ts';
export { campaignShard } from './campaign/shard.ts';
export { training } from './training/training.ts';
export { reconcile } from './reconcile.ts';
export { retention } from './retention.ts';
