import { MS_PER_DAY } from '../domain/clock.ts';
import { localHourAt, zoneOffset } from './calendar.ts';
import type { Random } from './random.ts';
import { type Persona, attention, instantOnDay } from './world.ts';

/** What a mail sets off in its reader; null is "never". */
export interface MailResponse {
  /** The mail program fetched the pictures by itself, soon after the arrival. */
  readonly machineOpenMs: number | null;
  readonly openMs: number | null;
  readonly clickMs: number | null;
  readonly leaveMs: number | null;
}

/** An hour of average attention has 1; capped, so that nobody's best hour is a certainty. */
function relativeAttention(persona: Persona, atMs: number): number {
  return Math.min(2.5, 24 * attention(persona, localHourAt(persona.zone, atMs)));
}

/** Chance that a person opens a mail that is sent at this instant: a good hour is worth up to a third more. */
export function openChance(persona: Persona, sentMs: number): number {
  return Math.min(0.97, persona.openness * (0.8 + 0.2 * relativeAttention(persona, sentMs)));
}

/**
 * One reader's response. It always takes the same draws in the same order, so that two mails that differ only in their
 * offer meet the same person in the same mood (common random numbers). `forced` opens and clicks whatever the draws say.
 */
export function respond(
  persona: Persona,
  sentMs: number,
  random: Random,
  forced = false,
): MailResponse {
  const machineDelay = random.between(20, 900) * 1000;
  const machine = persona.machineOpens && random.chance(0.92);
  const opens = random.chance(openChance(persona, sentMs));
  const openMs = openingMs(persona, sentMs, random);
  const clicks = random.chance(persona.curiosity);
  const clickDelay = (8 + 90 * random.exponential()) * 1000;
  const leaves = random.chance(persona.leaving * (persona.sleepingDog ? 3 : 1));
  const leaveDelay = (15 + 60 * random.exponential()) * 1000;
  const opened = opens || forced;
  return {
    machineOpenMs: machine ? second(sentMs + machineDelay) : null,
    openMs: opened ? second(openMs) : null,
    clickMs: opened && (clicks || forced) ? second(openMs + clickDelay) : null,
    leaveMs: opened && leaves ? second(openMs + clickDelay + leaveDelay) : null,
  };
}

/** Within minutes where the mail meets an attentive hour, else at an hour as this person lives, mostly the same day. */
function openingMs(persona: Persona, sentMs: number, random: Random): number {
  const prompt = random.chance(0.16 * relativeAttention(persona, sentMs));
  const promptMs = sentMs + 60_000 * (1 + 25 * random.exponential());
  const days = Math.min(6, Math.floor(random.exponential() / 1.1));
  const today = Math.floor((sentMs + zoneOffset(persona.zone, sentMs)) / MS_PER_DAY);
  const laterMs = instantOnDay(persona, today + days, random);
  if (prompt) return promptMs;
  return laterMs > sentMs + 60_000 ? laterMs : laterMs + MS_PER_DAY;
}

function second(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
