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

/** Two lines: `  12 |   holdout: 1.5,` and the caret below; `length` is cut at the end of the line. */
export function excerptOf(source: string, line: number, column: number, length = 1): string {
  const text = source.split(/\r\n|\n|\r/)[line - 1];
  if (text === undefined) return '';
  const gutter = String(line).padStart(4);
  const carets = '^'.repeat(Math.max(1, Math.min(length, text.length - column + 1)));
  // Tabs are kept, so that the caret stands under its place however wide a tab is shown.
  const indent = text.slice(0, column - 1).replaceAll(/[^\t]/g, ' ');
  return `${gutter} | ${text}\n${' '.repeat(gutter.length)} | ${indent}${carets}`;
}

/** The problem at `offset` (UTF-16 units) of `source`, with its line, column and excerpt. */
export function problemAt(
  file: string,
  source: string,
  place: { readonly offset: number; readonly length: number },
  message: string,
  pointer = '',
): LocatedProblem {
  const before = source.slice(0, place.offset).split(/\r\n|\n|\r/);
  const line = before.length;
  const column = before.at(-1)!.length + 1;
  const excerpt = excerptOf(source, line, column, place.length);
  return { file, line, column, pointer, message, excerpt };
}

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
