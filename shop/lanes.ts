import type { LaneOverrides } from '../domain/lane.schema.ts';

/** The sample shop's people have mailboxes under a reserved name; they go by the lanes of their namesakes. */
export const SAMPLE_LANES: LaneOverrides = {
  gmail: { domains: ['gmail.example.test'] },
  microsoft: { domains: ['outlook.example.test'] },
  yahoo: { domains: ['yahoo.example.test'] },
  apple: { domains: ['icloud.example.test'] },
};
