import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { KairosError } from '../../domain/errors.ts';

const CHUNK_BYTES = 256 * 1024;
const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export interface ByteSource {
  /** The content, unpacked and decoded to UTF-8. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file read so far, packed as it is. */
  read(): number;
  destroy(): void;
}

export type FileKind = 'parquet' | 'gzip' | 'text';

/** Looks at a file's first bytes: a name can lie. @throws KairosError where there is no such file */
export async function inspectFile(path: string): Promise<{ bytes: number; kind: FileKind }> {
  const facts = await stat(path).catch(() => null);
  if (!facts?.isFile()) {
    throw new KairosError('IMPORT_INVALID', `${path}: there is no such file to import.`);
  }
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(4);
    await handle.read(head, 0, 4, 0);
    const kind = head.toString('latin1') === 'PAR1' ? 'parquet' : isGzip(head) ? 'gzip' : 'text';
    return { bytes: facts.size, kind };
  } finally {
    await handle.close();
  }
}

function isGzip(head: Buffer): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Streams a text file in chunks. A gz file may hold several members, as `cat a.gz b.gz` makes. */
export function openBytes(path: string, kind: FileKind, encoding = 'utf-8'): ByteSource {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const stream =
    kind === 'gzip'
      ? pipeline(file, createGunzip({ chunkSize: CHUNK_BYTES }), () => {
          // The reader of the stream hears of a failure.
        })
      : file;
  const declared = decoderOf(path, encoding);
  async function* chunks(): AsyncGenerator<Buffer> {
    let decoder = declared;
    let isFirst = true;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        // A byte order mark knows better than a mapping, which may have been written for another file.
        if (isFirst && chunk.indexOf(UTF8_MARK) === 0) decoder = null;
        isFirst = false;
        yield decoder ? Buffer.from(decoder.decode(chunk, { stream: true })) : chunk;
      }
      if (decoder) yield Buffer.from(decoder.decode());
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

/** Null for UTF-8, which the readers take as it is. */
function decoderOf(path: string, encoding: string): InstanceType<typeof TextDecoder> | null {
  try {
    const decoder = new TextDecoder(encoding);
    return decoder.encoding === 'utf-8' ? null : decoder;
  } catch {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: the encoding "${encoding}" is not known; expected one such as utf-8, windows-1252 or utf-16le.`,
    );
  }
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
