import type { BudgetDefinition } from './budget.ts';
import type { Segment } from './segment.ts';

/**
 * A campaign as the marketer writes it. TypeScript files export `defineCampaign({...})`, YAML files hold the same
 * object; `campaign.schema.ts` checks both. Frozen and hashed at launch: what runs is what was approved.
 */
export interface CampaignDefinition {
  /** Lower-case letters, digits and hyphens; the workflow's id is `campaign/<id>`. */
  readonly id: string;
  readonly name: string;
  readonly audience: AudienceDefinition;
  /** Share of the audience that gets nothing, to compare with; 0.1 by default, 0 says no. */
  readonly holdout?: number;
  readonly variants: readonly VariantDefinition[];
  readonly from: { readonly name: string; readonly address: string };
  readonly replyTo?: string;
  readonly schedule?: ScheduleDefinition;
  readonly goal: GoalDefinition;
  readonly caps?: CapsDefinition;
  /** Hours of the person's day in which nothing is sent, such as `{from: 21, to: 8}`. */
  readonly quietHours?: { readonly from: number; readonly to: number };
  /** A person must approve before anything is planned. */
  readonly approval?: boolean;
  /** The most that the campaign may cost or send; people whom it does not reach are skipped. */
  readonly budget?: BudgetDefinition;
  /** Messages a second over all lanes; none by default. */
  readonly ratePerSecond?: number;
  /** After this span from the launch what is not sent expires, such as `3d`; 7 days by default. */
  readonly deadline?: string;
  /** Share by which the audience may differ from what was approved before the launch is refused; 0.1 by default. */
  readonly driftTolerance?: number;
  /** A random share gets the variants first; after `wait` the one with more clicks or orders goes to the rest. */
  readonly pilot?: {
    readonly share: number;
    readonly wait: string;
    readonly choose: 'clicks' | 'orders';
  };
  /** Only mails are offered now; journeys come with more kinds of step. */
  readonly steps?: readonly { readonly kind: 'mail' }[];
}

export interface AudienceDefinition {
  readonly segment: Segment;
  readonly exclude?: readonly Segment[];
  /** Keep the people whose score by this model is best, or within bounds. */
  readonly score?: { readonly model: string; readonly min?: number; readonly max?: number };
  /** At most this many, by score where there is one, else by a stable hash. */
  readonly limit?: number;
}

export interface VariantDefinition {
  readonly id: string;
  /** Relative weight; 1 by default. */
  readonly weight?: number;
  readonly subject: string;
  readonly preheader?: string;
  /** Name of a folder or file below `templates/`, without its ending. */
  readonly template: string;
  readonly offer?: {
    readonly id: string;
    readonly label: string;
    readonly code?: string;
    /** What it costs the shop when it is taken, in its currency; for the budget, templates don't show it. */
    readonly cost?: number;
  };
}

export type ScheduleDefinition =
  | { readonly kind: 'now' }
  | { readonly kind: 'at'; readonly at: string }
  /** At this wall-clock time in each person's time zone, on or after `date`. */
  | { readonly kind: 'local'; readonly date: string; readonly time: string };

export interface GoalDefinition {
  readonly event: string;
  /** A span such as `14d`, counted from the planning of each person. */
  readonly window: string;
  /** Which number of the event is the value; `total` by default. */
  readonly value?: 'total';
}

export interface CapsDefinition {
  /** Marketing mails per person over all campaigns, such as 1 a day and 3 a week. */
  readonly perDay?: number;
  readonly perWeek?: number;
}

/** A definition with its defaults filled in, its links frozen, and the hash of all of it. */
export interface Campaign extends CampaignDefinition {
  readonly holdout: number;
  readonly driftTolerance: number;
  readonly deadline: string;
  readonly schedule: ScheduleDefinition;
  /** SHA-256 over the canonical JSON of the definition and its templates. */
  readonly hash: string;
}

/** Types a campaign file. It only returns its argument: a campaign is data without behaviour. */
export function defineCampaign<const T extends CampaignDefinition>(definition: T): T {
  return definition;
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Milliseconds of a span such as `90m`, `12h`, `14d`, `8w`; null where it is not one. */
export function parseSpan(span: string): number | null {
  const match = /^(\d{1,5})([mhdw])$/.exec(span);
  if (!match) return null;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
