import type { Random } from './random.ts';

/** Review texts by rating, made from parts. */
const OPENINGS: readonly (readonly string[])[] = [
  ['Broke within a week', 'Not as described', 'I sent it back', 'A waste of money'],
  ['Below what I hoped for', 'It works, barely', 'The finish is poor', 'Smaller than it looks'],
  ['Does what it should', 'Fair for the price', 'Nothing special', 'All right so far'],
  ['Very happy with it', 'Well made', 'Better than the one before', 'Good value'],
  [
    'Exactly what I was looking for',
    'Could not be better',
    'A favourite of the house',
    'Superb quality',
  ],
];
const DETAILS: readonly (readonly string[])[] = [
  ['the seam came apart', 'support was slow', 'it smells of glue'],
  ['the colour is off', 'the box was damaged', 'it scratches easily'],
  ['the instructions could be clearer', 'delivery took a while', 'the colour differs a little'],
  ['it arrived in two days', 'it feels solid', 'my partner uses it too'],
  ['it was well packed', 'I ordered a second one', 'we use it every day'],
];
const CLOSINGS: readonly (readonly string[])[] = [
  ['Never again.', 'Stay away.', 'I want my money back.'],
  ['I expected more.', 'I would not buy it again.', 'Think twice.'],
  ['Could be worse.', 'It will do.', 'Let us see how it lasts.'],
  ['I can recommend it.', 'I would buy it again.', 'A nice present as well.'],
  ['Five stars.', 'Thank you!', 'I will be back.'],
];

export function reviewText(rating: number, random: Random): string {
  const row = Math.min(4, Math.max(0, rating - 1));
  return `${random.pick(OPENINGS[row]!)}; ${random.pick(DETAILS[row]!)}. ${random.pick(CLOSINGS[row]!)}`;
}
