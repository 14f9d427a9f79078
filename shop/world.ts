import { MS_PER_DAY } from '../domain/clock.ts';
import { type Calendar, type Zone, createCalendar, createZone, toInstant } from './calendar.ts';
import { CATEGORIES, type Catalogue, PRICE_LEVELS, createCatalogue } from './catalogue.ts';
import { COUNTRIES } from './places.ts';
import { Random, STREAM, cumulative } from './random.ts';

export interface SampleOptions {
  /** The same seed and end give the same shop, byte for byte. */
  readonly seed: number;
  readonly people?: number;
  readonly years?: number;
  /** Where the history ends: shop time of the first start, in milliseconds since the Unix epoch. */
  readonly endMs: number;
}

/** How far behind the history's end people's lives are known: campaigns run there. */
export const FUTURE_DAYS = 400;

/** A person's favourite hour of the day: a bump around `hour` (local time), `spread` hours wide. */
export interface HourPeak {
  readonly hour: number;
  readonly spread: number;
  readonly weight: number;
}

/**
 * Who a person is: the causes of all that they do. Purchases follow the MBG/NBD model (Batislam, Denizel, Filiztekin
 * 2007): a first order when they join, then orders at a rate of their own, and after every order a chance to be gone.
 */
export interface Persona {
  readonly index: number;
  readonly externalId: string;
  readonly country: number;
  readonly zone: Zone;
  readonly joinedMs: number;
  /** False for those who only signed up: they look around, and never buy by themselves. */
  readonly buyer: boolean;
  /** Orders a (season-weighted) day while they are a customer. */
  readonly ratePerDay: number;
  /** Chance to be gone after each order, the first included. */
  readonly dropOut: number;
  /** 0 to PRICE_LEVELS − 1. */
  readonly priceLevel: number;
  readonly taste: Float64Array;
  readonly tasteSums: Float64Array;
  readonly peaks: readonly HourPeak[];
  readonly peakSums: Float64Array;
  /** Chance to open a mail that comes at a moment of average attention. */
  readonly openness: number;
  /** Chance to click once opened. */
  readonly curiosity: number;
  /** Chance to unsubscribe by a mail that was opened. */
  readonly leaving: number;
  /** The mail program fetches pictures by itself. */
  readonly machineOpens: boolean;
  /** How much discounts move them, 0–1. */
  readonly bargain: number;
  /** How much any mail moves them; about 1. */
  readonly response: number;
  /** Mail keeps them from buying: the sleeping dogs. */
  readonly sleepingDog: boolean;
  readonly reviews: number;
  readonly returns: number;
  readonly ratingBias: number;
  readonly consent: 'granted' | 'refused' | 'unknown';
}

export interface World {
  readonly options: Required<SampleOptions>;
  readonly startMs: number;
  readonly calendar: Calendar;
  readonly catalogue: Catalogue;
  readonly personas: readonly Persona[];
}

/** The whole truth of a sample shop: about 50 ms for 5,000 people. */
export function createWorld(given: SampleOptions): World {
  const options = { people: 5_000, years: 2, ...given };
  const startMs = options.endMs - Math.round(options.years * 365.25) * MS_PER_DAY;
  const untilMs = options.endMs + FUTURE_DAYS * MS_PER_DAY;
  const zones = COUNTRIES.map((country) =>
    country.zones.map(([name]) => createZone(name, startMs, untilMs)),
  );
  const draws: PersonaDraws = {
    options,
    startMs,
    zones,
    countrySums: cumulative(COUNTRIES.map((country) => country.share)),
    zoneSums: COUNTRIES.map((country) => cumulative(country.zones.map(([, weight]) => weight))),
    tasteAlpha: CATEGORIES.map((category) => category.share * TASTE_FOCUS),
  };
  return {
    options,
    startMs,
    calendar: createCalendar(startMs, untilMs),
    catalogue: createCatalogue(options.seed),
    personas: Array.from({ length: options.people }, (_, index) => makePersona(draws, index)),
  };
}

/** Known truth about the whole: what the parameters of the people are drawn from. */
export const POPULATION = {
  /** Gamma: shape, and mean orders a day. */
  rate: { shape: 1.4, meanPerDay: 7.5 / 365.25 },
  dropOut: { a: 0.9, b: 3.4 },
  buyers: 0.93,
  sleepingDogs: 0.07,
} as const;

const TASTE_FOCUS = 0.045;

interface PersonaDraws {
  readonly options: Required<SampleOptions>;
  readonly startMs: number;
  readonly zones: readonly (readonly Zone[])[];
  readonly countrySums: Float64Array;
  readonly zoneSums: readonly Float64Array[];
  readonly tasteAlpha: readonly number[];
}

function makePersona(draws: PersonaDraws, index: number): Persona {
  const { options, startMs } = draws;
  const random = new Random(options.seed, STREAM.persona, index);
  const country = random.index(draws.countrySums);
  const taste = random.dirichlet(draws.tasteAlpha);
  const peaks = makePeaks(random);
  const { shape, meanPerDay } = POPULATION.rate;
  // A third were customers from the beginning; the rest joined since, the last ones a day ago.
  const spanMs = options.endMs - startMs - MS_PER_DAY;
  const joined = random.chance(0.33) ? 0.08 * random.uniform() : 0.08 + 0.92 * random.uniform();
  const engaged = random.normal();
  return {
    index,
    externalId: `C${String(index + 1).padStart(5, '0')}`,
    country,
    zone: draws.zones[country]![random.index(draws.zoneSums[country]!)]!,
    joinedMs: startMs + Math.floor((joined * spanMs) / 1000) * 1000,
    buyer: random.chance(POPULATION.buyers),
    ratePerDay: (random.gamma(shape) * meanPerDay) / shape,
    dropOut: random.beta(POPULATION.dropOut.a, POPULATION.dropOut.b),
    priceLevel: Math.min(PRICE_LEVELS - 1, Math.floor(PRICE_LEVELS * random.beta(1.6, 1.8))),
    taste,
    tasteSums: cumulative(taste),
    peaks,
    peakSums: cumulative(peaks.map((peak) => peak.weight)),
    openness: logistic(-0.75 + 0.95 * engaged),
    curiosity: logistic(-1.9 + 0.5 * engaged + 0.5 * random.normal()),
    leaving: 0.012 * random.gamma(0.8),
    machineOpens: random.chance(0.22),
    bargain: random.beta(1.5, 2),
    response: random.gamma(3) / 3,
    sleepingDog: random.chance(POPULATION.sleepingDogs),
    reviews: random.beta(0.6, 5),
    returns: random.beta(0.8, 14),
    ratingBias: 0.45 * random.normal(),
    consent: consentOf(random.uniform()),
  };
}

function consentOf(draw: number): Persona['consent'] {
  if (draw < 0.8) return 'granted';
  return draw < 0.9 ? 'refused' : 'unknown';
}

/** Most people have an evening, some a lunch break, some the way to work. */
function makePeaks(random: Random): HourPeak[] {
  const peaks: HourPeak[] = [
    { hour: random.between(18.5, 22.5), spread: random.between(0.8, 1.8), weight: random.gamma(2) },
    {
      hour: random.between(11.5, 13.5),
      spread: random.between(0.5, 1.2),
      weight: random.gamma(0.8),
    },
    { hour: random.between(6, 9.5), spread: random.between(0.5, 1.2), weight: random.gamma(0.8) },
  ];
  const sum = peaks.reduce((total, peak) => total + peak.weight, 0);
  return peaks.map((peak) => ({ ...peak, weight: peak.weight / sum }));
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** Some people's hours stray: this share of what they do falls anywhere between 7 and 23 o'clock. */
const STRAY = 0.12;

/** An hour of the day, drawn as this person lives. */
export function drawHour(persona: Persona, random: Random): number {
  if (random.chance(STRAY)) return random.between(7, 23);
  const peak = persona.peaks[random.index(persona.peakSums)]!;
  return (peak.hour + peak.spread * random.normal() + 24) % 24;
}

/** Density of a person's doings over the hours of the day; integrates to 1 over 24 hours. */
export function attention(persona: Persona, hour: number): number {
  let density = hour >= 7 && hour < 23 ? STRAY / 16 : 0;
  for (const peak of persona.peaks) {
    const distance = Math.abs(((hour - peak.hour + 36) % 24) - 12);
    density +=
      ((1 - STRAY) * peak.weight * Math.exp(-0.5 * (distance / peak.spread) ** 2)) /
      (peak.spread * Math.sqrt(2 * Math.PI));
  }
  return density;
}

/** An instant on this local day, at an hour as this person lives; whole seconds. */
export function instantOnDay(persona: Persona, day: number, random: Random): number {
  const localMs = day * MS_PER_DAY + Math.floor(drawHour(persona, random) * 3600) * 1000;
  return toInstant(persona.zone, localMs);
}
