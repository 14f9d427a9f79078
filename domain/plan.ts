import type { Campaign } from './campaign.ts';
import { instantOf, afterQuiet } from './local-time.ts';
import type { MessageReasonName } from './ledger.ts';

/** What planning must know of a member of the audience. */
export interface PlanFacts {
  readonly address: string | null;
  readonly eligible: boolean;
  readonly holdout: boolean;
  readonly duplicate: boolean;
  readonly consented: boolean;
  readonly suppressed: boolean;
  readonly erased: boolean;
  readonly timeZone: string | null;
  /** Marketing mails of other campaigns in the last day and week. */
  readonly lastDay: number;
  readonly lastWeek: number;
  /** Uniform on [0, 1), fixed for this unit and campaign: the draw of the variant. */
  readonly variantDraw: number;
}

export type Decision =
  | { readonly kind: 'holdout' }
  | { readonly kind: 'skip'; readonly reason: MessageReasonName }
  | {
      readonly kind: 'reserve';
      readonly variant: number;
      /** Probability of this variant under the rule that chose it. */
      readonly variantP: number;
      readonly dueMs: number;
    };

export interface PlanContext {
  readonly nowMs: number;
  readonly deadlineMs: number;
  /** The arm that a pilot chose; everyone gets it then. */
  readonly chosenVariant: number | null;
  /** Where a person's time zone is not known. */
  readonly defaultTimeZone: string;
}

/** What happens to one member: held out, skipped with a reason, or reserved with a variant and a moment. */
export function planMember(campaign: Campaign, facts: PlanFacts, context: PlanContext): Decision {
  if (facts.holdout) return { kind: 'holdout' };
  const refusal = refusalOf(campaign, facts);
  if (refusal) return { kind: 'skip', reason: refusal };
  const { variant, variantP } = chooseVariant(campaign, facts.variantDraw, context.chosenVariant);
  const zone = facts.timeZone ?? context.defaultTimeZone;
  const wished = Math.max(context.nowMs, wishedMs(campaign, zone, context.nowMs));
  const dueMs = campaign.quietHours ? afterQuiet(wished, zone, campaign.quietHours) : wished;
  if (dueMs > context.deadlineMs) return { kind: 'skip', reason: 'quietHours' };
  return { kind: 'reserve', variant, variantP, dueMs };
}

function refusalOf(campaign: Campaign, facts: PlanFacts): MessageReasonName | null {
  if (facts.erased) return 'erased';
  if (facts.suppressed) return 'suppressed';
  if (!facts.consented) return 'noConsent';
  if (facts.address === null) return 'noAddress';
  if (facts.duplicate) return 'duplicate';
  // Not eligible when the audience was frozen, yet nothing speaks against it now: the frozen judgement stays.
  if (!facts.eligible) return 'notEligible';
  const { perDay, perWeek } = campaign.caps ?? {};
  if (perDay !== undefined && facts.lastDay >= perDay) return 'cap';
  if (perWeek !== undefined && facts.lastWeek >= perWeek) return 'cap';
  return null;
}

function chooseVariant(
  campaign: Campaign,
  draw: number,
  chosen: number | null,
): { variant: number; variantP: number } {
  if (chosen !== null) return { variant: chosen, variantP: 1 };
  const weights = campaign.variants.map((variant) => variant.weight ?? 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  for (let index = 0; index < weights.length; index += 1) {
    reached += weights[index]! / total;
    if (draw < reached) return { variant: index, variantP: weights[index]! / total };
  }
  const last = weights.length - 1;
  return { variant: last, variantP: weights[last]! / total };
}

function wishedMs(campaign: Campaign, timeZone: string, nowMs: number): number {
  const { schedule } = campaign;
  switch (schedule.kind) {
    case 'now':
      return nowMs;
    case 'at':
      return Date.parse(schedule.at);
    case 'local':
      return instantOf(Date.parse(`${schedule.date}T${schedule.time}:00Z`), timeZone);
  }
}
