/** What is wrong with a file that a person wrote, and where: one clear sentence each. */
export interface Problem {
  /** JSON pointer (RFC 6901) into the file's value; '' is the whole. */
  readonly pointer: string;
  /** Whether the name of the field is meant, as with an unknown field, or its value. */
  readonly at: 'key' | 'value';
  readonly message: string;
}

/** A problem that a person can jump to. Lines and columns count from 1. */
export interface LocatedProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly pointer: string;
  readonly message: string;
  /** The line of the file, and below it a caret under the place; '' where there is no line to show. */
  readonly excerpt: string;
}

/** Longer lines are shown in part: nobody reads a kilobyte for one place in it. */
const EXCERPT_CHARS = 140;

/** Two lines: `  12 |   holdout: 1.5,` and a caret below the place in `text`, which is line `line`. */
function excerptOf(text: string, line: number, column: number, length: number): string {
  const start = text.length > EXCERPT_CHARS ? Math.max(0, column - EXCERPT_CHARS / 2) : 0;
  const shown = text.slice(start, start + EXCERPT_CHARS);
  const cut = start > 0 ? '…' : '';
  const gutter = String(line).padStart(4);
  const carets = '^'.repeat(Math.max(1, Math.min(length, shown.length - (column - 1 - start))));
  // Tabs are kept, so that the caret stands under its place however wide a tab is shown.
  const indent =
    cut.replace('…', ' ') + shown.slice(0, column - 1 - start).replaceAll(/[^\t]/g, ' ');
  return `${gutter} | ${cut}${shown}\n${' '.repeat(gutter.length)} | ${indent}${carets}`;
}

/** The problem at `offset` (UTF-16 units) of `source`, with its line, column and excerpt. */
export function problemAt(
  file: string,
  source: string,
  place: { readonly offset: number; readonly length: number },
  message: string,
  pointer = '',
): LocatedProblem {
  const offset = Math.min(place.offset, source.length);
  let line = 1;
  let start = 0;
  for (const { index } of source.slice(0, offset).matchAll(LINE_BREAK)) {
    line += 1;
    start = index + (source.startsWith('\r\n', index) ? 2 : 1);
  }
  const column = offset - start + 1;
  const end = source.slice(start).search(LINE_BREAK);
  const text = source.slice(start, end < 0 ? undefined : start + end);
  return {
    file,
    line,
    column,
    pointer,
    message,
    excerpt: excerptOf(text, line, column, place.length),
  };
}

const LINE_BREAK = /\r\n|\n|\r/g;

export function formatProblem(problem: LocatedProblem): string {
  const head = `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
  return problem.excerpt === '' ? head : `${head}\n${problem.excerpt}`;
}

/** The nearest of `words` by edit distance, where it is near enough to be a typing error; else null. */
export function didYouMean(word: string, words: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of words) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Changes, with two neighbours swapped as one of them, given up (as `limit`) once they cannot be fewer than `limit`. */
function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  const rows = [Array.from({ length: right.length + 1 }, (_, index) => index)];
  for (let row = 1; row <= left.length; row++) {
    const above = rows[row - 1]!;
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1;
      let least = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + change,
      );
      const isSwapped =
        row > 1 &&
        column > 1 &&
        left[row - 1] === right[column - 2] &&
        left[row - 2] === right[column - 1];
      if (isSwapped) least = Math.min(least, rows[row - 2]![column - 2]! + 1);
      current.push(least);
    }
    rows.push(current);
  }
  return rows[left.length]![right.length]!;
}
