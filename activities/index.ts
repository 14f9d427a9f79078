import type { CampaignActivities } from './campaign/activities.ts';
import type { RetentionActivities } from './retention/activities.ts';
import type { TrainingActivities } from './training/activities.ts';

/** Everything that workflows may call; `bin/worker.ts` puts the factories together. */
export type Activities = CampaignActivities & RetentionActivities & TrainingActivities;
