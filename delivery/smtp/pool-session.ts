import type { DeliveryResult, OutboundMail, RelayFacts } from './transport.ts';

/** One message on its way through a session. */
export interface Transaction {
  readonly mail: OutboundMail;
  /** In wire form; set by the pool when a session takes the message. */
  data: Buffer;
  /** How often a connection has failed under it before its content was written. */
  failures: number;
  settle(result: DeliveryResult): void;
}

/** The pool, as a session sees it. */
export interface SessionOwner {
  /** The next message, built; undefined where none waits. */
  next(): Transaction | undefined;
  /** The connection failed before the content was written: another session may try. */
  again(transaction: Transaction, why: DeliveryResult): void;
  /** The handshake is done. */
  ready(session: PoolSession, facts: RelayFacts): void;
  /** Has nothing to do. */
  free(session: PoolSession): void;
  /** `failure` is set where the connection broke before it was of any use. */
  ended(session: PoolSession, failure: DeliveryResult | null): void;
}

/** One connection, as its pool sees it. It opens by itself. */
export interface PoolSession {
  /** Ready, and nothing under way. */
  readonly isFree: boolean;
  /** Messages that this connection has brought to their reply. */
  readonly delivered: number;
  /** Takes the next message where one waits and the session is free; a session that has done its share ends. */
  work(): void;
  /** Ends a free connection politely. */
  quit(): void;
  /** Ends the connection at once; what is under way is settled by how far it got. */
  destroy(words: string): void;
}
