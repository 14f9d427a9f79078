import { defineCampaign } from '../domain/campaign.ts';
import type { Segment } from '../domain/segment.ts';

const silentForAWhile: Segment = {
  all: [
    { event: 'Order Completed', is: 'ge', value: 2 },
    { event: 'Order Completed', measure: 'recency', is: 'ge', value: 60 },
    { event: 'Order Completed', measure: 'recency', is: 'le', value: 365 },
  ],
};

/** Good customers who have been silent: does ten percent off bring back more than a friendly word? */
export const campaign = defineCampaign({
  id: 'win-back',
  name: 'Win back lapsed customers',
  audience: {
    segment: { any: [{ cluster: 'lapsed high spenders' }, silentForAWhile] },
    exclude: [{ trait: 'consent', is: 'ne', value: true }],
    // Who comes back anyway needs no mail.
    score: { model: 'order-30d', max: 0.8 },
  },
  holdout: 0.1,
  variants: [
    {
      id: 'offer',
      template: 'win-back',
      subject: '{{fallback person.firstName "Hello"}}, 10 % off your next order',
      offer: { id: 'ten-off', label: '10 % off your next order', code: 'WELCOME10' },
    },
    { id: 'plain', template: 'win-back', subject: 'New in what you like best' },
  ],
  from: { name: 'Kairos Sample Shop', address: 'hello@shop.example' },
  goal: { event: 'Order Completed', window: '14d' },
  caps: { perDay: 1, perWeek: 3 },
  quietHours: { from: 21, to: 8 },
});
