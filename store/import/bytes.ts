import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { KairosError } from '../../domain/errors.ts';

const CHUNK_BYTES = 256 * 1024;

export interface ByteSource {
  /** The content, unpacked. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file read so far, packed as it is. */
  read(): number;
  destroy(): void;
}

export type FileKind = 'parquet' | 'gzip' | 'text';

/** Files that are often taken for CSV, by how they begin; what to do with each. */
const FOREIGN: readonly (readonly [begin: string, what: string, advice: string])[] = [
  ['504b0304', 'a zip archive or an Excel workbook (.xlsx)', 'unpack it, or save the sheet as CSV'],
  ['d0cf11e0', 'an old Excel workbook (.xls)', 'save the sheet as CSV'],
  ['28b52ffd', 'packed by zstd', 'unpack it, or pack it by gzip'],
  ['fd377a58', 'packed by xz', 'unpack it, or pack it by gzip'],
  ['425a68', 'packed by bzip2', 'unpack it, or pack it by gzip'],
  ['377abcaf', 'a 7z archive', 'unpack it'],
  ['25504446', 'a PDF document', 'export the data as CSV'],
];

/** Looks at a file's first bytes: a name can lie. @throws KairosError where it cannot be imported */
export async function inspectFile(path: string): Promise<{ bytes: number; kind: FileKind }> {
  const facts = await stat(path).catch(() => null);
  if (facts?.isDirectory()) {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: this is a folder; expected files, such as ${path.replace(/\/$/, '')}/*.csv.`,
    );
  }
  if (!facts?.isFile()) {
    throw new KairosError('IMPORT_INVALID', `${path}: there is no such file to import.`);
  }
  const handle = await open(path, 'r').catch(() => {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: the file cannot be opened; make it readable for you.`,
    );
  });
  try {
    const head = Buffer.alloc(4);
    const { bytesRead } = await handle.read(head, 0, 4, 0);
    refuseForeign(path, head.subarray(0, bytesRead));
    const kind = head.toString('latin1') === 'PAR1' ? 'parquet' : isGzip(head) ? 'gzip' : 'text';
    return { bytes: facts.size, kind };
  } finally {
    await handle.close();
  }
}

/** @throws KairosError where the bytes are those of a file that is no table of text */
export function refuseForeign(path: string, head: Buffer): void {
  const begin = head.toString('hex', 0, 4);
  const known = FOREIGN.find(([sign]) => begin.startsWith(sign));
  if (!known) return;
  throw new KairosError('IMPORT_INVALID', `${path}: this is ${known[1]}; ${known[2]}.`);
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Streams a text file in chunks. A gz file may hold several members, as `cat a.gz b.gz` makes. */
export function openBytes(path: string, kind: FileKind): ByteSource {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const stream =
    kind === 'gzip'
      ? pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {
          // The reader of the stream hears of a failure.
        })
      : file;
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      throw readFailure(path, error);
    }
  }
  return {
    chunks: chunks(),
    read: () => file.bytesRead,
    destroy: () => {
      stream.destroy();
      file.destroy();
    },
  };
}

function readFailure(path: string, error: unknown): Error {
  const code = (error as { code?: string }).code ?? '';
  if (code === 'Z_BUF_ERROR') {
    return new KairosError(
      'IMPORT_INVALID',
      `${path}: the gz file is cut off before its end; fetch it again.`,
    );
  }
  if (code.startsWith('Z_')) {
    return new KairosError('IMPORT_INVALID', `${path}: the gz file is damaged; fetch it again.`);
  }
  return error as Error;
}
