import type { Contribution } from './explain.ts';
import { phrase } from './phrases.ts';

/** At most so many reasons on each side: a sentence, not a table. */
const REASONS_MAX = 2;
/** Effects below this share of the largest one explain nothing. */
const SHARE_MIN = 0.1;

/**
 * The contributions as one sentence, such as "Higher because they ordered 3 times in the last year; lower because the
 * last order was 120 days ago." The stronger direction comes first. Holds no name or address, only behaviour.
 */
export function sentence(contributions: readonly Contribution[]): string {
  const sorted = contributions.toSorted(
    (a, b) => Math.abs(b.contribution) - Math.abs(a.contribution),
  );
  const least = SHARE_MIN * Math.abs(sorted[0]?.contribution ?? 0);
  const topics = new Set<string>();
  const texts = new Set<string>();
  const reasons: { higher: string[]; lower: string[] } = { higher: [], lower: [] };
  for (const { feature, value, contribution } of sorted) {
    if (contribution === 0 || Math.abs(contribution) < least) break;
    const { topic, text } = phrase(feature, value);
    const side = contribution > 0 ? reasons.higher : reasons.lower;
    if (side.length >= REASONS_MAX || topics.has(topic) || texts.has(text)) continue;
    topics.add(topic);
    texts.add(text);
    side.push(text);
  }
  const parts = (['higher', 'lower'] as const)
    .filter((side) => reasons[side].length > 0)
    .map((side) => `${side} because ${reasons[side].join(' and ')}`);
  if (parts.length === 0) return 'As for anyone: nothing sets this person apart.';
  if (sorted[0]!.contribution < 0) parts.reverse();
  const text = parts.join('; ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
