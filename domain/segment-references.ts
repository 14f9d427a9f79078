import { KairosError } from './errors.ts';
import { didYouMean, type Problem } from './problem.ts';
import { pointerOf } from './schema-problems.ts';
import type { Path } from './segment-check-values.ts';
import type { Segment } from './segment.ts';
import { leavesOf, nodeOf } from './segment-terms.ts';

/** Segments that segments speak of: `{segment: 'good-customers'}`. */

/** A query with more clauses than that is none that anybody wants; references multiply them. */
const RESOLVED_CLAUSES_MAX = 1_000;

/** The names that a segment speaks of itself, with their places. */
export function referencesOf(segment: Segment): { name: string; path: Path }[] {
  const found: { name: string; path: Path }[] = [];
  const walk = (part: Segment, path: Path): void => {
    const node = nodeOf(part);
    if (node.kind === 'all' || node.kind === 'any') {
      node.parts.forEach((each, index) => walk(each, [...path, node.kind, index]));
    } else if (node.kind === 'not') walk(node.part, [...path, 'not']);
    else if (node.kind === 'segment') {
      found.push({ name: node.clause.segment, path: [...path, 'segment'] });
    }
  };
  walk(segment, []);
  return found;
}

/**
 * The segment with each reference resolved, however deep, so that it means the same for ever; or what is wrong: a name
 * that is not there, with the nearest one, or a circle, by its names. `self` is the segment's own name where it has one.
 */
export function resolveSegment(
  segment: Segment,
  segments: ReadonlyMap<string, Segment>,
  self?: string,
): { segment: Segment | null; problems: Problem[] } {
  const problems: Problem[] = [];
  const resolve = (part: Segment, path: Path, trail: readonly string[], own: boolean): Segment => {
    const node = nodeOf(part);
    switch (node.kind) {
      case 'all':
        return {
          all: node.parts.map((each, i) =>
            resolve(each, own ? [...path, 'all', i] : path, trail, own),
          ),
        };
      case 'any':
        return {
          any: node.parts.map((each, i) =>
            resolve(each, own ? [...path, 'any', i] : path, trail, own),
          ),
        };
      case 'not':
        return { not: resolve(node.part, own ? [...path, 'not'] : path, trail, own) };
      case 'segment': {
        const name = node.clause.segment;
        const at = own ? [...path, 'segment'] : path;
        const say = (message: string): void => {
          problems.push({ pointer: pointerOf(at), at: 'value', message });
        };
        if (trail.includes(name)) {
          const circle = [...trail.slice(trail.indexOf(name)), name].map((each) => `"${each}"`);
          say(`The segment ${circle.join(' → ')} speaks of itself; expected no circle.`);
          return part;
        }
        const means = segments.get(name);
        if (!means) {
          const near = didYouMean(name, [...segments.keys()]);
          const hint = near
            ? `did you mean "${near}"?`
            : 'save it first with "kairos segment save".';
          say(`There is no segment "${name}"; ${hint}`);
          return part;
        }
        return { segment: name, means: resolve(means, at, [...trail, name], false) };
      }
      case 'leaf':
        return part;
      default:
        return node satisfies never;
    }
  };
  const resolved = resolve(segment, [], self === undefined ? [] : [self], true);
  if (problems.length > 0) return { segment: null, problems };
  const clauses = leavesOf(resolved).length;
  if (clauses > RESOLVED_CLAUSES_MAX) {
    const message = `The segment has ${clauses} clauses with those it speaks of; expected at most ${RESOLVED_CLAUSES_MAX}.`;
    return { segment: null, problems: [{ pointer: '', at: 'value', message }] };
  }
  return { segment: resolved, problems };
}

/** The same, or an error with every problem. @throws KairosError SEGMENT_INVALID */
export function resolvedSegment(
  segment: Segment,
  segments: ReadonlyMap<string, Segment>,
  self?: string,
): Segment {
  const { segment: resolved, problems } = resolveSegment(segment, segments, self);
  if (resolved) return resolved;
  throw new KairosError('SEGMENT_INVALID', problems.map(({ message }) => message).join('\n'), {
    problems,
  });
}
