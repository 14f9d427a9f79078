import type { Settlement } from '../store/ledger.ts';
import type { RelayTrouble } from './relay-guard.ts';
import type { DeliveryResult, DeliveryStage } from './smtp/transport.ts';

/**
 * What a result says, and of whom: of the message (`settled`; `answered` where the relay replied to it), of the lane (`throttled`: not now, not so fast), or of the
 * relay (`untried`, with what is wrong with it unless we ourselves took the message back).
 */
export type Verdict =
  | { kind: 'settled'; outcome: Settlement['outcome']; reply: string; answered: boolean }
  | { kind: 'throttled'; reply: string; closing: boolean }
  | { kind: 'untried'; reply: string; trouble: RelayTrouble | null };

const ABOUT_RECIPIENT: ReadonlySet<DeliveryStage> = new Set(['rcpt', 'data', 'content']);
const IN_TRANSACTION: ReadonlySet<DeliveryStage> = new Set(['mail', 'rcpt', 'data', 'content']);
/** "Authentication required" and its kin, from relays that ask for it only when there is mail. */
const AUTH_CODES: ReadonlySet<number> = new Set([530, 534, 535, 538]);

export function verdictOf(result: DeliveryResult): Verdict {
  const { stage, code, reply, outcome } = result;
  if (result.untried) {
    // What another message was told says nothing of the relay, nor of this one's lane.
    const innocent = stage === 'queue' || IN_TRANSACTION.has(stage);
    return { kind: 'untried', reply, trouble: innocent ? null : { stage, code } };
  }
  if (isThrottled(result)) return { kind: 'throttled', reply, closing: code === 421 };
  if (stage === 'mail' && AUTH_CODES.has(code)) {
    return { kind: 'untried', reply, trouble: { stage: 'auth', code } };
  }
  if (outcome === 'lost') return { kind: 'settled', outcome: 'unknown', reply, answered: false };
  // A "no" to the sender says nothing of the recipient, who must not pay for it with a bounce.
  const excused = outcome === 'refused' && !ABOUT_RECIPIENT.has(stage);
  return { kind: 'settled', outcome: excused ? 'deferred' : outcome, reply, answered: code > 0 };
}

/** 421, or 4xx with an enhanced code of policy (4.7.x), to a message: providers say so to who sends too fast. */
function isThrottled({ outcome, stage, code, enhanced }: DeliveryResult): boolean {
  if (outcome !== 'deferred' || !IN_TRANSACTION.has(stage)) return false;
  return code === 421 || enhanced?.startsWith('4.7.') === true;
}

/** What a transport's rejection says: it rejects only what it has not written a byte of. */
export function verdictOfError(error: unknown): Verdict {
  const code = (error as { code?: string }).code ?? 'TRANSPORT_FAILED';
  const reply = `not sent: ${code}`;
  if (code === 'ADDRESS_INVALID')
    return { kind: 'settled', outcome: 'refused', reply, answered: false };
  if (code === 'TRANSPORT_FULL' || code === 'STATE_CONFLICT') {
    return { kind: 'untried', reply, trouble: null };
  }
  return { kind: 'settled', outcome: 'deferred', reply, answered: false };
}

export interface Judged {
  personId: number;
  verdict: Verdict;
}

type Kind<K extends Verdict['kind']> = { personId: number; verdict: Extract<Verdict, { kind: K }> };

/** The results of a window by whom they are about. */
export function byKind(results: readonly Judged[]): {
  [K in Verdict['kind']]: Kind<K>[];
} {
  const kinds: { [K in Verdict['kind']]: Kind<K>[] } = { settled: [], throttled: [], untried: [] };
  for (const { personId, verdict } of results) {
    if (verdict.kind === 'settled') kinds.settled.push({ personId, verdict });
    else if (verdict.kind === 'throttled') kinds.throttled.push({ personId, verdict });
    else kinds.untried.push({ personId, verdict });
  }
  return kinds;
}
