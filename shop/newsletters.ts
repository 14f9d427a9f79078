import { MS_PER_DAY, MS_PER_HOUR } from '../domain/clock.ts';
import { type MailResponse, respond } from './mail-habits.ts';
import { Random, STREAM } from './random.ts';
import type { Persona, World } from './world.ts';

/** The shop's newsletters before Kairos: every four weeks, at hours that vary, so that hours can be learned from them. */
export interface Newsletter {
  readonly campaign: string;
  readonly sentMs: number;
}

const EVERY_DAYS = 28;

export function newslettersOf(world: World): Newsletter[] {
  const newsletters: Newsletter[] = [];
  const random = new Random(world.options.seed, STREAM.mail);
  const first = Math.ceil(world.startMs / MS_PER_DAY) + 10;
  for (let day = first; (day + 3) * MS_PER_DAY < world.options.endMs; day += EVERY_DAYS) {
    const sentMs = (day + random.below(3)) * MS_PER_DAY + (5 + random.below(15)) * MS_PER_HOUR;
    const date = new Date(sentMs).toISOString().slice(0, 10);
    newsletters.push({ campaign: `newsletter-${date}`, sentMs });
  }
  return newsletters;
}

export interface ReceivedNewsletter extends Newsletter {
  readonly deliveredMs: number;
  readonly response: MailResponse;
}

export interface MailHistory {
  readonly received: readonly ReceivedNewsletter[];
  /** When they unsubscribed within the history; null where they did not. */
  readonly leftMs: number | null;
}

/** Every newsletter that a person got, until they left. */
export function mailHistoryOf(
  world: World,
  newsletters: readonly Newsletter[],
  persona: Persona,
): MailHistory {
  const received: ReceivedNewsletter[] = [];
  if (persona.consent !== 'granted') return { received, leftMs: null };
  const random = new Random(world.options.seed, STREAM.mail, persona.index + 1);
  for (const newsletter of newsletters) {
    if (newsletter.sentMs < persona.joinedMs) continue;
    const deliveredMs = newsletter.sentMs + 1000 * Math.floor(random.between(2, 900));
    const response = respond(persona, deliveredMs, random);
    received.push({ ...newsletter, deliveredMs, response });
    if (response.leaveMs !== null && response.leaveMs < world.options.endMs) {
      return { received, leftMs: response.leaveMs };
    }
  }
  return { received, leftMs: null };
}
