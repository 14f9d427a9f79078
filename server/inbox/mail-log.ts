import { readSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** What the list needs of a mail; the rest is read from the disk when somebody asks. */
export interface MailHead {
  /** Counts up from 1, never used twice in one folder. */
  readonly seq: number;
  readonly receivedAtMs: number;
  /** Envelope sender; '' is the null sender. */
  readonly from: string;
  /** Envelope recipients. */
  readonly to: readonly string[];
  readonly subject: string;
  /** With its angle brackets; null where the mail has none. */
  readonly messageId: string | null;
  /** Size of the message. */
  readonly bytes: number;
}

export type NewMail = Omit<MailHead, 'seq' | 'bytes'>;

interface Entry extends MailHead {
  readonly segment: Segment;
  /** Where the message itself begins in the segment. */
  readonly offset: number;
}

interface Segment {
  readonly path: string;
  readonly handle: FileHandle;
  /** Bytes that are known to be whole records. */
  size: number;
  count: number;
}

interface Waiting {
  readonly mail: NewMail;
  readonly raw: Buffer;
  readonly done: (seq: number) => void;
  readonly failed: (error: unknown) => void;
}

export interface MailLogLimits {
  /** The newest of them are kept; a little more, since whole segments go at once. */
  readonly mails: number;
  readonly bytes: number;
  /** Mails of one file. */
  readonly perSegment: number;
}

const DEFAULT_LIMITS: MailLogLimits = { mails: 20_000, bytes: 2 ** 30, perSegment: 1_000 };

/** One write takes at most this much of what is waiting, so that a burst does not become one huge buffer list. */
const WRITE_BATCH = 200;
const NAME = /^mails-(\d{12})\.log$/;
/** A head takes some hundred bytes; with a hundred recipients at most this. */
const LINE_USUAL = 2_048;
const LINE_MAX = 65_536;
/** Read into again and again while the files are opened; what it holds is parsed at once. */
const USUAL_LINE = Buffer.allocUnsafe(LINE_USUAL);

/**
 * Raw mails, append-only in files of a thousand. A record is one line of JSON (the head), the message, and a newline.
 * A process that dies in the middle of a record loses only that record, which nobody was told was accepted.
 * An acknowledged mail survives the end of the process, though not of the machine: nothing is synced.
 */
export class MailLog {
  readonly #directory: string;
  readonly #limits: MailLogLimits;
  #segments: Segment[] = [];
  #entries: Entry[] = [];
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #nextSeq = 1;

  private constructor(directory: string, limits: MailLogLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /** Opens or makes the folder; a half-written record at the end is cut off. */
  static async open(directory: string, limits: Partial<MailLogLimits> = {}): Promise<MailLog> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const log = new MailLog(directory, { ...DEFAULT_LIMITS, ...limits });
    const names = (await readdir(directory)).filter((name) => NAME.test(name)).toSorted();
    for (const name of names) await log.#load(name);
    await log.#trim();
    return log;
  }

  get count(): number {
    return this.#entries.length;
  }

  /** The number of the newest mail that was ever kept; 0 where there was none. */
  get lastSeq(): number {
    return this.#nextSeq - 1;
  }

  /** Resolves with the mail's number once the operating system has taken it. */
  append(mail: NewMail, raw: Buffer): Promise<number> {
    return new Promise((done, failed) => {
      this.#waiting.push({ mail, raw, done, failed });
      this.#writing ??= this.#drain();
    });
  }

  /** Mails behind a number, oldest first. */
  after(seq: number, limit: number): MailHead[] {
    const start = this.#place(seq + 1);
    return this.#entries.slice(start, start + limit);
  }

  /** Mails before a number (newest first) of which each word is found in the subject, an address or the id. */
  find(query: string, before: number, limit: number): MailHead[] {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found: MailHead[] = [];
    for (let n = this.#place(before) - 1; n >= 0; n -= 1) {
      const entry = this.#entries[n]!;
      if (words.length > 0 && !matches(entry, words)) continue;
      found.push(entry);
      if (found.length === limit) break;
    }
    return found;
  }

  head(seq: number): MailHead | null {
    return this.#entry(seq);
  }

  /** The message as it came; null where it is not kept (any more). */
  async raw(seq: number): Promise<Buffer | null> {
    const entry = this.#entry(seq);
    if (!entry) return null;
    const buffer = Buffer.allocUnsafe(entry.bytes);
    try {
      const { bytesRead } = await entry.segment.handle.read(buffer, 0, entry.bytes, entry.offset);
      return bytesRead === entry.bytes ? buffer : null;
    } catch (error) {
      // The segment was dropped meanwhile.
      if (this.#entry(seq) === null) return null;
      throw error;
    }
  }

  /** Writes what is waiting and closes the files. */
  async close(): Promise<void> {
    await this.#writing;
    await Promise.all(this.#segments.map((segment) => segment.handle.close()));
    this.#segments = [];
    this.#entries = [];
  }

  #entry(seq: number): Entry | null {
    const entry = this.#entries[this.#place(seq)];
    return entry?.seq === seq ? entry : null;
  }

  /** The place of the first mail whose number is at least `seq`. */
  #place(seq: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle]!.seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, WRITE_BATCH);
      try {
        await this.#write(batch);
      } catch (error) {
        for (const each of batch) each.failed(error);
      }
    }
    // In the same turn as the last look at the queue: whoever comes a moment later starts the next round.
    this.#writing = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const segment = await this.#currentSegment();
    const buffers: Buffer[] = [];
    const entries: Entry[] = [];
    let size = segment.size;
    batch.forEach(({ mail, raw }, n) => {
      const head: MailHead = { ...mail, seq: this.#nextSeq + n, bytes: raw.length };
      const line = Buffer.from(`${JSON.stringify(head)}\n`);
      buffers.push(line, raw, NEWLINE);
      entries.push({ ...head, segment, offset: size + line.length });
      size += line.length + raw.length + 1;
    });
    // At a position, not at the end: what a failed write left behind is written over.
    await writeAll(segment.handle, buffers, segment.size);
    segment.size = size;
    segment.count += entries.length;
    this.#nextSeq += entries.length;
    this.#entries.push(...entries);
    batch.forEach((each, n) => each.done(entries[n]!.seq));
  }

  async #currentSegment(): Promise<Segment> {
    const current = this.#segments.at(-1);
    if (current && current.count < this.#limits.perSegment) return current;
    await this.#trim();
    const name = `mails-${String(this.#nextSeq).padStart(12, '0')}.log`;
    const path = join(this.#directory, name);
    const segment = { path, handle: await open(path, 'w+', 0o600), size: 0, count: 0 };
    this.#segments.push(segment);
    return segment;
  }

  /** Drops the oldest segments as long as enough stays without them. */
  async #trim(): Promise<void> {
    for (;;) {
      const oldest = this.#segments[0];
      if (!oldest || this.#segments.length < 2) return;
      const bytes = this.#segments.reduce((sum, segment) => sum + segment.size, 0);
      const spare = this.#entries.length - oldest.count >= this.#limits.mails;
      if (!spare && bytes <= this.#limits.bytes) return;
      this.#segments.shift();
      this.#entries = this.#entries.slice(oldest.count);
      await oldest.handle.close();
      await unlink(oldest.path);
    }
  }

  async #load(name: string): Promise<void> {
    const path = join(this.#directory, name);
    const handle = await open(path, 'r+');
    const segment: Segment = { path, handle, size: 0, count: 0 };
    this.#segments.push(segment);
    const { size } = await handle.stat();
    // An empty file keeps its place in the count: its name says which number comes next.
    this.#nextSeq = Math.max(this.#nextSeq, Number(NAME.exec(name)![1]));
    while (segment.size < size) {
      const line = readLine(handle, segment.size);
      const head = line === null ? null : readHead(line.toString('utf8'), this.#nextSeq);
      const offset = segment.size + (line?.length ?? 0) + 1;
      if (head === null || offset + head.bytes + 1 > size) break;
      this.#entries.push({ ...head, segment, offset });
      segment.size = offset + head.bytes + 1;
      segment.count += 1;
      this.#nextSeq = head.seq + 1;
    }
    if (segment.size < size) await handle.truncate(segment.size);
  }
}

const NEWLINE = Buffer.from('\n');

async function writeAll(
  handle: FileHandle,
  buffers: readonly Buffer[],
  position: number,
): Promise<void> {
  const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  const { bytesWritten } = await handle.writev(buffers, position);
  if (bytesWritten === total) return;
  // A short write is rare (a full disk, a signal): the rest goes as one piece.
  const rest = Buffer.concat(buffers).subarray(bytesWritten);
  let written = 0;
  while (written < rest.length) {
    const at = position + bytesWritten + written;
    const step = await handle.write(rest, written, rest.length - written, at);
    written += step.bytesWritten;
  }
}

/** Synchronous: at the start nothing else is to do, and twenty thousand waits would take seconds. */
function readLine(handle: FileHandle, position: number): Buffer | null {
  for (const length of [LINE_USUAL, LINE_MAX]) {
    const buffer = length === LINE_USUAL ? USUAL_LINE : Buffer.allocUnsafe(length);
    const read = readSync(handle.fd, buffer, 0, length, position);
    const end = buffer.subarray(0, read).indexOf(10);
    if (end >= 0) return buffer.subarray(0, end);
  }
  return null;
}

/** A head behind the ones before; null where the line is torn. */
function readHead(line: string, least: number): MailHead | null {
  try {
    const head = JSON.parse(line) as MailHead;
    return head.seq >= least && Number.isSafeInteger(head.bytes) && Array.isArray(head.to)
      ? head
      : null;
  } catch {
    return null;
  }
}

function matches(head: MailHead, words: readonly string[]): boolean {
  const text = `${head.subject} ${head.from} ${head.to.join(' ')} ${head.messageId ?? ''}`;
  const low = text.toLowerCase();
  return words.every((word) => low.includes(word));
}
