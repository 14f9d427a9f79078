/**
 * Every error that Kairos raises on purpose, in one table. `retryable` decides whether a Temporal activity is tried
 * again; `status` is the HTTP answer. Messages carry codes, ids and positions, never an address or a name.
 */
export const ERRORS = {
  CAMPAIGN_INVALID: { retryable: false, status: 422 },
  CAMPAIGN_UNKNOWN: { retryable: false, status: 404 },
  CAMPAIGN_ALREADY_RUN: { retryable: false, status: 409 },
  CAMPAIGN_NOT_BALANCED: { retryable: true, status: 500 },
  AUDIENCE_DRIFTED: { retryable: false, status: 409 },
  AUDIENCE_EMPTY: { retryable: false, status: 422 },
  SEGMENT_INVALID: { retryable: false, status: 422 },
  SEGMENT_UNKNOWN: { retryable: false, status: 404 },
  TEMPLATE_INVALID: { retryable: false, status: 422 },
  TEMPLATE_FIELD_MISSING: { retryable: false, status: 422 },
  ADDRESS_INVALID: { retryable: false, status: 422 },
  HEADER_INVALID: { retryable: false, status: 422 },
  TOKEN_INVALID: { retryable: false, status: 404 },
  INTAKE_INVALID: { retryable: false, status: 422 },
  WEBHOOK_INVALID: { retryable: false, status: 422 },
  WEBHOOK_UNKNOWN: { retryable: false, status: 404 },
  IMPORT_INVALID: { retryable: false, status: 422 },
  MODEL_INVALID: { retryable: false, status: 422 },
  MODEL_REFUSED: { retryable: false, status: 422 },
  MODEL_UNKNOWN: { retryable: false, status: 404 },
  PERSON_UNKNOWN: { retryable: false, status: 404 },
  RELAY_UNSAFE: { retryable: false, status: 412 },
  RELAY_DOWN: { retryable: true, status: 503 },
  TRANSPORT_FULL: { retryable: true, status: 503 },
  PROJECTOR_BEHIND: { retryable: true, status: 503 },
  WAREHOUSE_DOWN: { retryable: true, status: 503 },
  TEMPORAL_DOWN: { retryable: true, status: 503 },
  AUDIT_BROKEN: { retryable: false, status: 500 },
  CONFIG_INVALID: { retryable: false, status: 500 },
  STATE_CONFLICT: { retryable: false, status: 409 },
} as const satisfies Record<string, { retryable: boolean; status: number }>;

export type ErrorCode = keyof typeof ERRORS;

/** An expected failure: one clear sentence that says what, where, what was expected and what to do. */
export class KairosError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.name = 'KairosError';
    this.code = code;
    this.details = details;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** The codes that a retry policy must not retry. */
export const NON_RETRYABLE_CODES: readonly ErrorCode[] = (
  Object.keys(ERRORS) as ErrorCode[]
).filter((code) => !ERRORS[code].retryable);

/** Asserts an invariant of the program itself; kept on in production. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
