import {
  type DeliveryOutcome,
  type DeliveryResult,
  type DeliveryStage,
  oneLine,
} from './transport.ts';

/** One SMTP reply, of one line or several. */
export interface Reply {
  readonly code: number;
  /** The text of its lines without the codes. */
  readonly lines: readonly string[];
}

/** RFC 5321 §4.5.3.1.5 says 512; some servers explain themselves at length. */
const LINE_MAX = 2_048;
/** An EHLO reply has about 20 lines. */
const LINES_MAX = 128;

const ENHANCED = /^([245]\.\d{1,3}\.\d{1,3})(?: |$)/;

/** What the server sent is not SMTP; the connection is of no more use. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

/**
 * Cuts the byte stream of a server into replies. Strict, because a reply that is counted wrongly would settle another
 * message: lines end with CRLF, each begins with the same code, and sizes are bounded.
 */
export class ReplyParser {
  #rest = '';
  #code = 0;
  #lines: string[] = [];

  /** Calls `onReply` for each reply that `text` (the bytes as latin1) completes. Throws {@link ReplyError}. */
  push(text: string, onReply: (reply: Reply) => void): void {
    const all = this.#rest === '' ? text : this.#rest + text;
    this.#rest = '';
    let from = 0;
    for (let end = all.indexOf('\n'); end >= 0; end = all.indexOf('\n', from)) {
      if (end === from || all.charCodeAt(end - 1) !== 13) throw new ReplyError('bare line feed');
      this.#line(all.slice(from, end - 1), onReply);
      from = end + 1;
    }
    if (from === all.length) return;
    if (all.length - from > LINE_MAX) throw new ReplyError('line too long');
    this.#rest = all.slice(from);
  }

  /** True in the middle of a reply: what follows would not be a fresh one. */
  get partial(): boolean {
    return this.#rest !== '' || this.#lines.length > 0;
  }

  #line(line: string, onReply: (reply: Reply) => void): void {
    if (line.length > LINE_MAX) throw new ReplyError('line too long');
    const code = codeOf(line);
    const mark = line.charCodeAt(3);
    const last = line.length === 3 || mark === 32;
    if (code < 0 || (!last && mark !== 45)) throw new ReplyError('not a reply line');
    if (this.#lines.length > 0 && code !== this.#code) throw new ReplyError('codes differ');
    const text = line.slice(4);
    if (last && this.#lines.length === 0) {
      onReply({ code, lines: [text] });
      return;
    }
    this.#code = code;
    this.#lines.push(text);
    if (this.#lines.length > LINES_MAX) throw new ReplyError('too many lines');
    if (!last) return;
    const lines = this.#lines;
    this.#lines = [];
    onReply({ code, lines });
  }
}

/** The three digits at the beginning, 200 to 599; -1 where there are none. */
function codeOf(line: string): number {
  const a = line.charCodeAt(0) - 48;
  const b = line.charCodeAt(1) - 48;
  const c = line.charCodeAt(2) - 48;
  if (!(a >= 2 && a <= 5 && b >= 0 && b <= 9 && c >= 0 && c <= 9)) return -1;
  return a * 100 + b * 10 + c;
}

/** The text, decoded as UTF-8 (RFC 6531 servers), on one line. */
export function replyText(reply: Reply): string {
  return oneLine(Buffer.from(reply.lines.join(' '), 'latin1').toString('utf8'));
}

export function replyResult(
  outcome: DeliveryOutcome,
  stage: DeliveryStage,
  reply: Reply,
): DeliveryResult {
  return {
    outcome,
    stage,
    code: reply.code,
    enhanced: ENHANCED.exec(reply.lines[0] ?? '')?.[1] ?? null,
    reply: `${reply.code} ${replyText(reply)}`.trimEnd(),
  };
}
