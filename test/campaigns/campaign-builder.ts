import type { CampaignDefinition } from '../../domain/campaign.ts';

/** The smallest campaign that passes, with changes. */
export function aCampaign(changes: object = {}): CampaignDefinition {
  return {
    id: 'win-back',
    name: 'Win back',
    audience: { segment: { cluster: 'lapsed high spenders' } },
    variants: [{ id: 'plain', template: 'win-back', subject: 'New for you' }],
    from: { name: 'Shop', address: 'hello@shop.example' },
    goal: { event: 'Order Completed', window: '14d' },
    ...changes,
  } as CampaignDefinition;
}
