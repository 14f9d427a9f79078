import type { Campaign, CampaignDefinition } from './campaign.ts';
import { canonicalJson, deepFreeze } from './canonical.ts';
import { KairosError } from './errors.ts';

/** What a campaign file need not say. */
export const CAMPAIGN_DEFAULTS = {
  /** Large enough to show an effect on some thousand people, small enough to cost little. */
  holdout: 0.1,
  driftTolerance: 0.1,
  deadline: '7d',
  schedule: { kind: 'now' },
  weight: 1,
  goalValue: 'total',
} as const;

/**
 * Fills in the defaults and hashes the definition with its templates: what runs is what was approved.
 *
 * `templateHashes` holds one hash per variant id, of the variant's frozen template (which covers its subject, its
 * preheader and its link table). `sha256` is passed in, so that this file needs no platform.
 */
export function freezeCampaign(
  definition: CampaignDefinition,
  templateHashes: Readonly<Record<string, string>>,
  sha256: (text: string) => string,
): Campaign {
  const hashes: Record<string, string> = {};
  for (const { id } of definition.variants) {
    const hash = Object.hasOwn(templateHashes, id) ? templateHashes[id] : undefined;
    if (!hash) {
      throw new KairosError(
        'CAMPAIGN_INVALID',
        `campaign "${definition.id}" cannot be frozen: variant "${id}" has no template hash; freeze its template first`,
      );
    }
    hashes[id] = hash;
  }
  const filled = {
    ...definition,
    holdout: definition.holdout ?? CAMPAIGN_DEFAULTS.holdout,
    driftTolerance: definition.driftTolerance ?? CAMPAIGN_DEFAULTS.driftTolerance,
    deadline: definition.deadline ?? CAMPAIGN_DEFAULTS.deadline,
    schedule: definition.schedule ?? CAMPAIGN_DEFAULTS.schedule,
    approval: definition.approval ?? false,
    steps: definition.steps ?? [{ kind: 'mail' as const }],
    goal: { ...definition.goal, value: definition.goal.value ?? CAMPAIGN_DEFAULTS.goalValue },
    variants: definition.variants.map((variant) => ({
      ...variant,
      weight: variant.weight ?? CAMPAIGN_DEFAULTS.weight,
    })),
  };
  // A copy through JSON: the file's own objects must not be frozen under the marketer's feet, nor change under ours.
  const text = canonicalJson(filled);
  const hash = sha256(canonicalJson({ definition: filled, templates: hashes }));
  return deepFreeze({ ...(JSON.parse(text) as typeof filled), hash });
}
