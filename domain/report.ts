import type { BudgetReport } from './budget.ts';
import { MS_PER_DAY } from './clock.ts';
import type { LedgerCounts, Mode } from './ledger.ts';
import { isBalanced } from './ledger.ts';
import { type ArmSums, type Interval, effectOf } from './measure.ts';
import { reachesPeople } from './mode.ts';
import type { Waiting } from './waiting.ts';

/** What a campaign earned, as the report page, the command line and the API show it. Money is in the shop's currency. */
export interface CampaignReport {
  readonly campaign: string;
  readonly name: string;
  readonly mode: Mode;
  readonly goal: { readonly event: string; readonly window: string };
  /** ISO 4217; null where the shop's products do not say. */
  readonly currency: string | null;
  /** Instants of shop time, ISO 8601. */
  readonly launchedAt: string | null;
  readonly windowEnd: string | null;
  readonly measuredAt: string;
  /** The ledger balances and the goal window has passed: these figures change no more. */
  readonly isFinal: boolean;
  readonly audience: number;
  readonly holdout: number;
  readonly sent: number;
  readonly skipped: { readonly total: number; readonly byReason: Readonly<Record<string, number>> };
  readonly bounced: number;
  readonly expired: number;
  readonly unknown: number;
  /** Planned or under way, so not in any closing state yet. */
  readonly open: number;
  /** How many of them wait, by reason. */
  readonly waiting: Waiting;
  /** Null where the campaign has none. */
  readonly budget: BudgetReport | null;
  readonly isBalanced: boolean;
  /** Mailboxes that got more than one mail of this campaign; 0 by the ledger's key, counted all the same. */
  readonly duplicates: number;
  /** People: `human` looked at it themselves, of `machine` only a program is known. */
  readonly opens: HumanMachine;
  readonly clicks: HumanMachine;
  readonly unsubscribed: number;
  readonly complaints: number;
  /** People who could be mailed, by the draw: the arms that are compared. */
  readonly persons: ByArm;
  /** People who reached the goal at least once. */
  readonly converted: ByArm;
  /** Goal events and their value, up to `measuredAt`; of orders what was refunded in that time is taken off. */
  readonly orders: ByArm;
  readonly revenue: ByArm;
  /** What was taken off the revenue of orders. */
  readonly refunded: ByArm;
  /** Share of an arm's people who reached the goal; null for an arm without people. */
  readonly conversionRate: { readonly treated: number | null; readonly holdout: number | null };
  /** What the campaign caused, with its 95 % interval; null with a `reason`. */
  readonly incrementalRevenue: Interval | null;
  readonly incrementalConversions: Interval | null;
  readonly reason: string | null;
  /** True only where the interval of the revenue lies above 0 and nothing speaks against it. */
  readonly isPositive: boolean;
  readonly caveats: readonly string[];
  readonly variants: readonly VariantReport[];
  readonly daily: readonly DailyPoint[];
  /** Refusals by the enhanced status code of RFC 3463; replies themselves may hold addresses. */
  readonly bounces: readonly { readonly code: string; readonly count: number }[];
  readonly unknownMessages: readonly { readonly personId: number; readonly handedAt: string }[];
}

export interface HumanMachine {
  readonly human: number;
  readonly machine: number;
}

export interface ByArm {
  readonly treated: number;
  readonly holdout: number;
}

export interface VariantReport {
  readonly id: string;
  readonly persons: number;
  readonly sent: number;
  /** People, without machines. */
  readonly opens: number;
  readonly clicks: number;
  readonly orders: number;
  readonly revenue: number;
}

/** Value per head from the launch to the end of a day; `…Half` is half the width of its 95 % interval. */
export interface DailyPoint {
  /** Days since the launch; 0 is the launch itself. */
  readonly day: number;
  readonly treatedPerHead: number;
  readonly holdoutPerHead: number;
  readonly treatedHalf: number;
  readonly holdoutHalf: number;
}

/** The goal events of one person of the audience; only of people who have any. */
export interface GoalsOfPerson {
  readonly isHoldout: boolean;
  /** Index of the variant that was planned; null in the holdout and for people who were skipped at planning. */
  readonly variant: number | null;
  readonly days: readonly {
    readonly day: number;
    readonly count: number;
    readonly value: number;
    readonly refunded?: number;
  }[];
}

export interface ReactionsOfPerson {
  readonly variant: number | null;
  readonly kind: 'open' | 'click' | 'unsubscribe' | 'complaint';
  /** At least one of them was no machine's. */
  readonly isHuman: boolean;
}

export interface ReportInput {
  readonly campaign: string;
  readonly name: string;
  readonly mode: Mode;
  readonly goal: { readonly event: string; readonly window: string };
  readonly currencies: readonly string[];
  readonly launchedAtMs: number | null;
  readonly windowEndMs: number | null;
  readonly nowMs: number;
  /** How far the shop's clock is ahead of the wall clock; negative where it is behind. */
  readonly clockAheadMs: number;
  readonly counts: LedgerCounts;
  readonly isClosed: boolean;
  readonly skippedByReason: Readonly<Record<string, number>>;
  readonly waiting?: Waiting;
  readonly budget?: BudgetReport | null;
  readonly duplicates: number;
  readonly persons: ByArm;
  readonly goals: readonly GoalsOfPerson[];
  readonly reactions: readonly ReactionsOfPerson[];
  /** `none`: a historical shop, whose people cannot have reacted to any mail. */
  readonly reactionsPossible: 'real' | 'none';
  readonly variants: readonly {
    readonly id: string;
    readonly persons: number;
    readonly sent: number;
  }[];
  readonly bounces: readonly { readonly code: string; readonly count: number }[];
  readonly unknownMessages: readonly { readonly personId: number; readonly handedAtMs: number }[];
}

export function composeReport(input: ReportInput): CampaignReport {
  const { counts } = input;
  const treated = armSums(input, false);
  const holdout = armSums(input, true);
  const effect = effectOf(treated.sums, holdout.sums);
  const nothing = nothingToMeasure(input);
  const canMeasure = nothing === null && effect.incrementalValue !== null;
  const isOver = !reachesPeople(input.mode) || input.nowMs >= (input.windowEndMs ?? Infinity);
  const isFinal = input.isClosed && input.windowEndMs !== null && isOver;
  const noEffect = nothing ?? effect.caveats[0] ?? null;
  return {
    campaign: input.campaign,
    name: input.name,
    mode: input.mode,
    goal: input.goal,
    currency: input.currencies[0] ?? null,
    launchedAt: iso(input.launchedAtMs),
    windowEnd: iso(input.windowEndMs),
    measuredAt: new Date(input.nowMs).toISOString(),
    isFinal,
    audience: counts.audience,
    holdout: counts.holdout,
    sent: counts.sent,
    skipped: { total: counts.skipped, byReason: input.skippedByReason },
    bounced: counts.bounced,
    expired: counts.expired,
    unknown: counts.unknown,
    open: counts.planned + counts.reserved + counts.leased + counts.handed,
    waiting: input.waiting ?? {},
    budget: input.budget ?? null,
    isBalanced: isBalanced(counts),
    duplicates: input.duplicates,
    opens: peopleOf(input.reactions, 'open'),
    clicks: peopleOf(input.reactions, 'click'),
    unsubscribed: total(peopleOf(input.reactions, 'unsubscribe')),
    complaints: total(peopleOf(input.reactions, 'complaint')),
    persons: input.persons,
    converted: { treated: treated.sums.converted, holdout: holdout.sums.converted },
    orders: { treated: treated.orders, holdout: holdout.orders },
    revenue: { treated: cents(treated.sums.value), holdout: cents(holdout.sums.value) },
    refunded: { treated: cents(treated.refunded), holdout: cents(holdout.refunded) },
    conversionRate: { treated: rate(treated.sums), holdout: rate(holdout.sums) },
    incrementalRevenue: canMeasure ? rounded(effect.incrementalValue) : null,
    incrementalConversions: canMeasure ? rounded(effect.incrementalConversions) : null,
    reason: canMeasure ? null : noEffect,
    isPositive: canMeasure && effect.isPositive,
    caveats: caveatsOf(input, isFinal, canMeasure ? effect.caveats : []),
    variants: variantsOf(input),
    daily: dailyOf(input),
    bounces: input.bounces,
    unknownMessages: input.unknownMessages.map(({ personId, handedAtMs }) => ({
      personId,
      handedAt: new Date(handedAtMs).toISOString(),
    })),
  };
}

const HISTORY =
  'This shop is a record of the past: its people never saw these mails, so nothing they bought was caused by them.';

const UNREAL =
  'Nobody got a mail of this run, so nothing that was bought was caused by it. Launch the campaign live to measure it.';

/** Why there can be no effect; null where there can. */
function nothingToMeasure({ reactionsPossible, mode }: ReportInput): string | null {
  if (reactionsPossible === 'none') return HISTORY;
  return reachesPeople(mode) ? null : UNREAL;
}

function armSums(
  input: ReportInput,
  isHoldout: boolean,
): { sums: ArmSums; orders: number; refunded: number } {
  let converted = 0;
  let value = 0;
  let valueSquared = 0;
  let orders = 0;
  let refunded = 0;
  for (const goals of input.goals) {
    if (goals.isHoldout !== isHoldout) continue;
    const own = goals.days.reduce((sum, day) => sum + day.value, 0);
    const reached = goals.days.reduce((sum, day) => sum + day.count, 0);
    // Somebody may only have had a refund that names no order.
    if (reached > 0) converted += 1;
    value += own;
    valueSquared += own * own;
    orders += reached;
    refunded += goals.days.reduce((sum, day) => sum + (day.refunded ?? 0), 0);
  }
  const persons = isHoldout ? input.persons.holdout : input.persons.treated;
  return { sums: { persons, converted, value, valueSquared }, orders, refunded };
}

function peopleOf(
  reactions: readonly ReactionsOfPerson[],
  kind: ReactionsOfPerson['kind'],
): HumanMachine {
  const own = reactions.filter((reaction) => reaction.kind === kind);
  const human = own.filter((reaction) => reaction.isHuman).length;
  return { human, machine: own.length - human };
}

function variantsOf(input: ReportInput): VariantReport[] {
  return input.variants.map((variant, index) => {
    const goals = input.goals.filter((person) => !person.isHoldout && person.variant === index);
    const days = goals.flatMap((person) => person.days);
    const reactions = input.reactions.filter((reaction) => reaction.variant === index);
    return {
      ...variant,
      opens: peopleOf(reactions, 'open').human,
      clicks: peopleOf(reactions, 'click').human,
      orders: days.reduce((sum, day) => sum + day.count, 0),
      revenue: cents(days.reduce((sum, day) => sum + day.value, 0)),
    };
  });
}

const Z = 1.959963984540054;

/** Running sums of one arm: the squares follow each person's own running value, so that the interval is of people. */
class RunningArm {
  readonly #persons: number;
  readonly #values = new Map<number, number>();
  #sum = 0;
  #squared = 0;

  constructor(persons: number) {
    this.#persons = persons;
  }

  add(person: number, value: number): void {
    const before = this.#values.get(person) ?? 0;
    const after = before + value;
    this.#values.set(person, after);
    this.#sum += value;
    this.#squared += after * after - before * before;
  }

  get perHead(): number {
    return this.#persons === 0 ? 0 : this.#sum / this.#persons;
  }

  get half(): number {
    const n = this.#persons;
    if (n < 2) return 0;
    const variance = Math.max(0, this.#squared - (this.#sum * this.#sum) / n) / (n - 1);
    return Z * Math.sqrt(variance / n);
  }
}

function dailyOf(input: ReportInput): DailyPoint[] {
  const { launchedAtMs, windowEndMs, nowMs } = input;
  if (launchedAtMs === null || windowEndMs === null) return [];
  const last = Math.ceil((Math.min(windowEndMs, nowMs) - launchedAtMs) / MS_PER_DAY);
  if (last < 1) return [];
  const byDay: { person: number; isHoldout: boolean; value: number }[][] = Array.from(
    { length: last },
    () => [],
  );
  input.goals.forEach(({ isHoldout, days }, person) => {
    for (const { day, value } of days) byDay[day]?.push({ person, isHoldout, value });
  });
  const treated = new RunningArm(input.persons.treated);
  const holdout = new RunningArm(input.persons.holdout);
  const points: DailyPoint[] = [];
  const point = (day: number): void => {
    points.push({
      day,
      treatedPerHead: round(treated.perHead, 4),
      holdoutPerHead: round(holdout.perHead, 4),
      treatedHalf: round(treated.half, 4),
      holdoutHalf: round(holdout.half, 4),
    });
  };
  point(0);
  byDay.forEach((events, day) => {
    for (const { person, isHoldout, value } of events) {
      (isHoldout ? holdout : treated).add(person, value);
    }
    point(day + 1);
  });
  return points;
}

/** What a reader must know before they believe the figures, in plain words. */
function caveatsOf(input: ReportInput, isFinal: boolean, ofEffect: readonly string[]): string[] {
  const { counts } = input;
  const notes = [...ofEffect];
  const machines = peopleOf(input.reactions, 'open').machine;
  const say = (condition: boolean, note: () => string): void => {
    if (condition) notes.push(note());
  };
  say(
    input.duplicates > 0,
    () =>
      `${input.duplicates} mailboxes got more than one mail. This must never happen: please report it.`,
  );
  say(input.launchedAtMs === null, () => 'The campaign has not been launched yet.');
  say(
    reachesPeople(input.mode) &&
      !isFinal &&
      input.windowEndMs !== null &&
      input.nowMs < input.windowEndMs,
    () =>
      `The time in which orders count ends on ${day(input.windowEndMs!)}; until then these figures change.`,
  );
  say(
    !input.isClosed && input.launchedAtMs !== null,
    () => 'Not every message has come to its end yet.',
  );
  say(
    counts.unknown > 0,
    () =>
      `Of ${counts.unknown} messages nobody can say whether they arrived: the connection or the sender died while they were handed over. They are not sent again.`,
  );
  say(input.mode !== 'live', () => `This was a ${input.mode} run, not a live one.`);
  say(
    input.currencies.length > 1,
    () =>
      `The shop sells in ${input.currencies.length} currencies, and amounts were added as they are.`,
  );
  say(
    machines > 0,
    () =>
      `Opens are seen by a picture in the mail. Of ${machines} people only a mail program’s own fetch is known; they are not counted as opens.`,
  );
  say(Math.abs(input.clockAheadMs) > 60_000, () => clockNote(input));
  return notes;
}

function clockNote(input: ReportInput): string {
  const days = Math.round(Math.abs(input.clockAheadMs) / MS_PER_DAY);
  const years = Math.round(days / 365.25);
  const span = days > 730 ? `about ${years} years` : days === 1 ? 'a day' : `${days} days`;
  return input.clockAheadMs > 0
    ? `All times are the shop’s own: its clock was moved ahead (${span} by now), so that a demonstration need not wait for the goal window.`
    : `All times are the shop’s own: its clock stands in the past, ${span} behind today.`;
}

function total(people: HumanMachine): number {
  return people.human + people.machine;
}

function rate(sums: ArmSums): number | null {
  return sums.persons === 0 ? null : round(sums.converted / sums.persons, 6);
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });

function day(ms: number): string {
  return DAY.format(ms);
}

function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  // `+ 0`: no report says -0.
  return Math.round(value * scale) / scale + 0;
}

function cents(value: number): number {
  return round(value, 2);
}

function rounded(interval: Interval | null): Interval | null {
  if (interval === null) return null;
  return {
    estimate: cents(interval.estimate),
    low: cents(interval.low),
    high: cents(interval.high),
  };
}
