import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  CALL_KINDS,
  type IntakeCall,
  type IntakeContext,
  type IntakeNote,
  isPlainJson,
  parseIntake,
} from '../../domain/intake.ts';
import { LIMITS } from '../../domain/limits.ts';
import type { IntakeWriter } from '../../store/intake.ts';
import { readAddress } from '../../store/people.ts';
import { isTransient } from '../../store/postgres.ts';
import { SECURITY_HEADERS } from '../headers.ts';
import { basicUser } from '../secrets.ts';
import { BodyProblem, type BytesInFlight, readBody } from './body.ts';
import type { KnownKey, WriteKeys } from './write-keys.ts';

export interface IntakeCounters {
  intakeAccepted: number;
  intakeDuplicates: number;
  /** Calls with something wrong in them. */
  intakeRejected: number;
  /** Requests without a valid write key. */
  intakeRefused: number;
  /** Requests that were told to come again: too much at once, or above the key's rate. */
  intakeBusy: number;
}

export interface IntakeDeps {
  keys: WriteKeys;
  writer: IntakeWriter;
  inFlight: BytesInFlight;
  clock: { nowMs(): number };
  counters: IntakeCounters & { failures: number };
  log(event: string, detail?: Record<string, unknown>): void;
}

interface Placed extends IntakeNote {
  index: number;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** Pages of shops on other origins send events; the key is in the request, no cookie is. */
const CORS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'POST',
  'Access-Control-Allow-Headers': 'authorization, content-type, content-encoding',
  'Access-Control-Max-Age': '86400',
  'Cross-Origin-Resource-Policy': 'cross-origin',
};
const HEADERS = { ...SECURITY_HEADERS, ...CORS, 'Content-Type': 'application/json' };

/** The call that a path of the intake takes (`batch` for lists), or null where it is no such path. */
export function intakeKind(path: string): string | null {
  const word = /^\/v1\/([a-z]+)\/?$/.exec(path)?.[1];
  if (word === undefined) return null;
  if (word === 'batch' || word === 'b' || word === 'import') return 'batch';
  return Object.hasOwn(CALL_KINDS, word) ? CALL_KINDS[word]! : null;
}

/**
 * Events from the shop by the Segment spec: `POST /v1/track`, `identify`, `page`, `screen`, `group`, `alias` and
 * `batch`, with the write key as the user of basic authentication or as `writeKey` of the body. An answer of 200 means
 * committed; a call that is wrong is named, and the others of its batch are taken. On node's own server, without a
 * framework: at 100 requests of 500 events a second every layer is felt.
 */
export async function answerIntake(
  deps: IntakeDeps,
  kind: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = await answerOf(deps, kind, request).catch((error: unknown) =>
    failure(deps, error),
  );
  if (response.destroyed) return;
  const body = answer.status === 204 ? '' : JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    ...HEADERS,
    ...answer.headers,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
  // What was not read of a body that we refused: let it pass by, so that the client reads our answer.
  if (!request.readableEnded) request.resume();
}

async function answerOf(deps: IntakeDeps, kind: string, request: IncomingMessage): Promise<Answer> {
  if (request.method === 'OPTIONS') return { status: 204, body: {} };
  if (request.method !== 'POST') return refusal(405, 'Events are sent by POST.', { Allow: 'POST' });
  const given = request.headers.authorization;
  let key = given === undefined ? null : await deps.keys.find(basicUser(given));
  // A beacon can send no header: then the key is in the body, and the body must be read first.
  if (given !== undefined && key === null) return unknownKey(deps);
  const held = deps.inFlight.take(Number(request.headers['content-length'] ?? 0));
  if (held === null) return busy(deps, 'Too much is under way; send it again in a moment.');
  try {
    const text = await readBody(request, LIMITS.intakeBodyBytesMax, (more) => held.grow(more));
    const body = parseBody(text);
    key ??= await deps.keys.find(textOf((body as { writeKey?: unknown } | null)?.writeKey));
    if (key === null) return unknownKey(deps);
    const inputs = kind === 'batch' ? (body as { batch?: unknown } | null)?.batch : [body];
    if (!Array.isArray(inputs)) {
      return refusal(400, 'The body has no "batch"; expected a list of calls.');
    }
    if (!key.take(inputs.length)) return busy(deps, 'This key sends more than its rate.');
    const sentAt = kind === 'batch' ? (body as { sentAt?: unknown }).sentAt : undefined;
    return await take(deps, inputs, {
      kind: kind === 'batch' ? null : kind,
      sentAt,
      key,
      isPlain: isPlainJson(text),
    });
  } finally {
    held.done();
  }
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BodyProblem(400, 'The body is not JSON.');
  }
}

async function take(
  deps: IntakeDeps,
  inputs: readonly unknown[],
  from: { kind: string | null; sentAt: unknown; key: KnownKey; isPlain: boolean },
): Promise<Answer> {
  const context: IntakeContext = {
    kind: from.kind,
    sentAt: from.sentAt,
    isPlain: from.isPlain,
    isPublic: from.key.kind === 'browser',
    nowMs: deps.clock.nowMs(),
    newId: randomUUID,
  };
  const calls: IntakeCall[] = [];
  const rejected: Placed[] = [];
  const ignored: Placed[] = [];
  inputs.forEach((input, index) => {
    const result = readCall(input, context);
    if ('problem' in result) {
      rejected.push({ index, ...result.problem });
      return;
    }
    calls.push(result.call);
    for (const note of result.ignored) ignored.push({ index, ...note });
  });
  const receipt = await deps.writer.write(calls);
  deps.counters.intakeAccepted += receipt.accepted;
  deps.counters.intakeDuplicates += receipt.duplicates;
  deps.counters.intakeRejected += rejected.length;
  const isRefused = calls.length === 0 && rejected.length > 0;
  return {
    status: isRefused ? 400 : 200,
    body: { success: !isRefused, ...receipt, rejected, ...(ignored.length > 0 ? { ignored } : {}) },
  };
}

function readCall(input: unknown, context: IntakeContext): ReturnType<typeof parseIntake> {
  // First: it bounds the depth, which writing it as JSON again relies on.
  const result = parseIntake(input, context);
  if ('problem' in result) return result;
  const { call } = result;
  // What is kept is bounded; what clients tell of themselves beside it is bounded by the body.
  if (call.kind === 'track') {
    const text = JSON.stringify(call.properties);
    if (text.length > LIMITS.intakeEventBytesMax / 3) {
      const bytes = Buffer.byteLength(text, 'utf8');
      if (bytes > LIMITS.intakeEventBytesMax) {
        const message = `has ${bytes} bytes of properties; expected at most ${LIMITS.intakeEventBytesMax}`;
        return { problem: { pointer: '', message } };
      }
    }
    call.json = text;
    return result;
  }
  if (call.kind === 'identify') {
    const { email } = call.person;
    if (email !== undefined && email !== null && 'problem' in readAddress(email)) {
      return {
        problem: { pointer: '/traits/email', message: 'is not an address that can be mailed to' },
      };
    }
  }
  return result;
}

function unknownKey(deps: IntakeDeps): Answer {
  deps.counters.intakeRefused += 1;
  return refusal(
    401,
    'The write key is missing or wrong; send it as the user of basic authentication.',
    { 'WWW-Authenticate': 'Basic realm="Kairos intake", charset="UTF-8"' },
  );
}

function busy(deps: IntakeDeps, message: string): Answer {
  deps.counters.intakeBusy += 1;
  return refusal(429, message, { 'Retry-After': '1' });
}

function failure(deps: IntakeDeps, error: unknown): Answer {
  if (error instanceof BodyProblem) return refusal(error.status, error.message);
  deps.counters.failures += 1;
  const { code, name } = error as { code?: string; name?: string };
  deps.log('intake failed', { error: code ?? name ?? 'UNKNOWN' });
  return refusal(
    isTransient(error) ? 503 : 500,
    'Nothing of this request was acknowledged; send it again in a moment.',
    { 'Retry-After': '2' },
  );
}

function refusal(status: number, message: string, headers: Record<string, string> = {}): Answer {
  return { status, body: { error: { code: 'INTAKE_INVALID', message } }, headers };
}
