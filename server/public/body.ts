import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip as gunzipCallback } from 'node:zlib';

/** A body that is not taken, with the status that says so. */
export class BodyProblem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Room that one request holds. */
export interface Held {
  /** For bodies that do not say their size beforehand; false where there is no more. */
  grow(bytes: number): boolean;
  done(): void;
}

/**
 * The bytes of all bodies that are read or written at the moment: above the limit a request is told to come again at
 * once, so that memory stays flat whatever comes.
 */
export class BytesInFlight {
  readonly max: number;
  #held = 0;

  constructor(max: number) {
    this.max = max;
  }

  get held(): number {
    return this.#held;
  }

  take(bytes: number): Held | null {
    let own = 0;
    const grow = (more: number): boolean => {
      if (this.#held + more > this.max) return false;
      this.#held += more;
      own += more;
      return true;
    };
    if (!grow(Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0)) return null;
    return {
      grow,
      done: () => {
        this.#held -= own;
        own = 0;
      },
    };
  }
}

const gunzip = promisify(gunzipCallback);
/** Bodies that are no UTF-8 are refused rather than mended in silence. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/** The text of a body of at most `max` bytes, unpacked where it is gzip; `grow` asks for room beyond its stated size. */
export async function readBody(
  request: IncomingMessage,
  max: number,
  grow: (bytes: number) => boolean,
): Promise<string> {
  const tooLarge = tooLargeFor(max);
  const raw = await readBytes(request, max, grow);
  const text = await unpack(raw, request.headers['content-encoding'], max, grow, tooLarge);
  return textOfBytes(text);
}

const tooLargeFor =
  (max: number): (() => BodyProblem) =>
  () =>
    new BodyProblem(413, `The body is larger than ${max} bytes; send smaller batches.`);

/** The bytes of a body of at most `max` bytes as they came: what signatures are made over. */
export async function readBytes(
  request: IncomingMessage,
  max: number,
  grow: (bytes: number) => boolean,
): Promise<Buffer> {
  const tooLarge = tooLargeFor(max);
  const stated = Number(request.headers['content-length'] ?? NaN);
  if (stated > max) throw tooLarge();
  return collect(request, max, Number.isNaN(stated) ? grow : () => true, tooLarge);
}

/** The text of bytes that are UTF-8. */
export function textOfBytes(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new BodyProblem(400, 'The body is not UTF-8.');
  }
}

function collect(
  request: IncomingMessage,
  max: number,
  grow: (bytes: number) => boolean,
  tooLarge: () => BodyProblem,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (problem: BodyProblem): void => {
      request.off('data', take);
      chunks.length = 0;
      reject(problem);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > max) return stop(tooLarge());
      if (!grow(chunk.length)) {
        return stop(new BodyProblem(429, 'Too much is under way; send it again in a moment.'));
      }
      chunks.push(chunk);
    };
    request.on('data', take);
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new BodyProblem(400, 'The body ended before its end.')));
  });
}

async function unpack(
  raw: Buffer,
  encoding: string | undefined,
  max: number,
  grow: (bytes: number) => boolean,
  tooLarge: () => BodyProblem,
): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return raw;
  if (encoding !== 'gzip') {
    throw new BodyProblem(415, 'The body is packed in a way other than gzip.');
  }
  if (!grow(max)) {
    throw new BodyProblem(429, 'Too much is under way; send it again in a moment.');
  }
  try {
    return await gunzip(raw, { maxOutputLength: max });
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw new BodyProblem(400, 'The body is not whole gzip.');
  }
}
