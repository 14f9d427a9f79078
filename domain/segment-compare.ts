import type { TraitValue } from './records.ts';
import type { Comparison, Order } from './segment.ts';

/** Comparisons of a segment, the same as the warehouse's. Kinds do not mix: the text "1" is not the number 1. */
export function compareValues(
  is: Comparison,
  actual: TraitValue,
  wanted: string | number | boolean | readonly (string | number)[] | undefined,
): boolean {
  if (is === 'exists') return (actual !== null) === (wanted !== false);
  if (actual === null || wanted === undefined) return false;
  if (is === 'in') return Array.isArray(wanted) && wanted.includes(actual);
  if (is === 'eq') return actual === wanted;
  if (is === 'ne') return actual !== wanted;
  if (is === 'contains') {
    return typeof actual === 'string' && typeof wanted === 'string' && actual.includes(wanted);
  }
  if (typeof actual === 'number' && typeof wanted === 'number') return compare(actual, is, wanted);
  if (typeof actual === 'string' && typeof wanted === 'string') {
    return compare(compareText(actual, wanted), is, 0);
  }
  return false;
}

export function compare(actual: number, is: Order, wanted: number): boolean {
  switch (is) {
    case 'eq':
      return actual === wanted;
    case 'ne':
      return actual !== wanted;
    case 'lt':
      return actual < wanted;
    case 'le':
      return actual <= wanted;
    case 'gt':
      return actual > wanted;
    case 'ge':
      return actual >= wanted;
    default:
      return is satisfies never;
  }
}

/** By code points, which is the order of UTF-8 bytes and thus the warehouse's; `<` would go by UTF-16 units. */
function compareText(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = a[index]!.codePointAt(0)! - b[index]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
