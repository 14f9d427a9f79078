/**
 * The link table of a template: every target that its links can have, fixed when the campaign is frozen. A mail carries
 * only a number, so that no text of a person's or of a request can choose where a link leads.
 */

/** Longer addresses are cut by mail programs and proxies. */
const TARGET_CHARS_MAX = 2000;

export class LinkTable {
  readonly #numbers = new Map<string, number>();

  /** The number of `target`; the same target has the same number in every part of the mail. */
  add(target: string): number {
    const number = this.#numbers.get(target) ?? this.#numbers.size;
    this.#numbers.set(target, number);
    return number;
  }

  list(): readonly string[] {
    return [...this.#numbers.keys()];
  }
}

/** The absolute http(s) address of a target, a path like `/sale` being the shop's own; a sentence where it is none. */
export function resolveTarget(
  target: string,
  shopUrl: string,
): { readonly url: string } | { readonly fault: string } {
  const isPath = target.startsWith('/') && !target.startsWith('//') && !target.includes('\\');
  if (!isPath && !/^https?:\/\//i.test(target)) return { fault: EXPECTED };
  if (/[\s\p{Cc}\p{Co}]/u.test(target))
    return { fault: 'a link is fixed and has no spaces or fields.' };
  if (!URL.canParse(target, shopUrl)) return { fault: EXPECTED };
  const url = new URL(target, shopUrl);
  if (url.username !== '' || url.password !== '') {
    return { fault: 'a link must not carry a user or a password.' };
  }
  if (url.href.length > TARGET_CHARS_MAX) {
    return {
      fault: `a link has ${url.href.length} characters; expected at most ${TARGET_CHARS_MAX}.`,
    };
  }
  return { url: url.href };
}

const EXPECTED =
  'a link leads to a fixed http or https address, or to a path of the shop such as "/sale".';

/** Where link `ref` of a mail leads: what stands behind the token in its address. Null where there is no such link. */
export function linkTarget(
  links: readonly string[],
  ref: string,
):
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'product'; readonly sku: string }
  | null {
  if (/^(?:0|[1-9]\d{0,3})$/.test(ref)) {
    const url = links[Number(ref)];
    return url === undefined ? null : { kind: 'url', url };
  }
  if (!/^p[A-Za-z0-9%._~-]{1,300}$/.test(ref)) return null;
  try {
    return { kind: 'product', sku: decodeURIComponent(ref.slice(1)) };
  } catch {
    return null;
  }
}
