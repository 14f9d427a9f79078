import type { LocatedProblem } from '../domain/problem.ts';
import { resolveTarget, type LinkTable } from './links.ts';
import { Rewriting, type Part } from './part.ts';
import { standInsOf } from './tokens.ts';

export interface FreezeContext {
  readonly links: LinkTable;
  readonly shopUrl: string;
  readonly problems: LocatedProblem[];
}

/** The text part with its links numbered: those of the helpers, and addresses that are written out. */
export function freezeText(part: Part, context: FreezeContext): string {
  const rewriting = new Rewriting(part);
  rewriteCalls(part, rewriting, context);
  const text = part.standIns.text.replaceAll(ADDRESS, (found, offset: number) => {
    const address = untilBlock(found, part).replace(/[.,;:!?)\]]+$/, '');
    const target = resolveTarget(address, context.shopUrl);
    if ('fault' in target) {
      const at = part.standIns.offsetOf(offset);
      context.problems.push(part.flat.problem(at, address.length, target.fault));
      return found;
    }
    const number = context.links.add(target.url);
    return rewriting.add(`{{@linkPrefix}}${number}`) + found.slice(address.length);
  });
  return rewriting.finish(text);
}

const ADDRESS = /https?:\/\/[^\s<>"]*/gi;

/** A field within an address stays in it, and is refused; a block's tag ends it. */
function untilBlock(found: string, part: Part): string {
  const tag = standInsOf(found).find(({ index }) => part.tokens[index]?.kind !== 'value');
  return tag ? found.slice(0, tag.offset) : found;
}

/** Gives every link helper what stands for it in the frozen part. */
export function rewriteCalls(part: Part, rewriting: Rewriting, context: FreezeContext): void {
  for (const [index, token] of part.tokens.entries()) {
    const call = rewriting.callAt(index);
    if (!call) continue;
    if (call.name === 'unsubscribeUrl') rewriting.replace(index, '{{@unsubscribeUrl}}');
    else if (call.name === 'productLink') {
      rewriting.replace(index, `{{@linkPrefix}}${part.flat.text.slice(token.start, token.end)}`);
    } else {
      const target = resolveTarget(call.target, context.shopUrl);
      if ('fault' in target) {
        context.problems.push(
          part.flat.problem(token.start, token.end - token.start, target.fault),
        );
      } else rewriting.replace(index, `{{@linkPrefix}}${context.links.add(target.url)}`);
    }
  }
}
