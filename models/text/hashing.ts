import { checkParam } from '../check.ts';
import type { SparseRows } from './sparse.ts';
import { tokenise } from './tokenise.ts';

/**
 * Texts as sparse rows without a vocabulary: each token counts in the column that its hash says, up or down by another
 * bit of it, so that collisions cancel on average (Weinberger et al. 2009). Nothing is fitted, so new words need no
 * training and memory is bounded. Rows have length 1. `columns` is from 2 to 2²⁴.
 */
export function hashTexts(texts: readonly string[], columns = 65_536, pairs = true): SparseRows {
  checkParam('columns', columns, 2, 16_777_216);
  const start = new Int32Array(texts.length + 1);
  const column: number[] = [];
  const value: number[] = [];
  texts.forEach((text, i) => {
    const counts = new Map<number, number>();
    for (const token of tokenise(text, pairs)) {
      const hash = fnv1a(token);
      const j = (hash >>> 1) % columns;
      counts.set(j, (counts.get(j) ?? 0) + ((hash & 1) === 1 ? 1 : -1));
    }
    let square = 0;
    for (const count of counts.values()) square += count * count;
    const length = Math.sqrt(square) || 1;
    for (const [j, count] of counts) {
      if (count === 0) continue;
      column.push(j);
      value.push(count / length);
    }
    start[i + 1] = value.length;
  });
  const rows = texts.length;
  return { rows, columns, start, column: Int32Array.from(column), value: Float64Array.from(value) };
}

/** FNV-1a over UTF-16 units with a final mix, 32 bits. */
function fnv1a(token: string): number {
  let hash = 0x811c9dc5;
  for (let k = 0; k < token.length; k++) hash = Math.imul(hash ^ token.charCodeAt(k), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
