import { type FileHandle, open } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type ColumnChunk,
  type DecodedArray,
  type FileMetaData,
  parquetMetadataAsync,
  parquetSchema,
  type RowGroup,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getTreePath, isFlatColumn } from 'hyparquet/src/schema.js';
import { KairosError } from '../../domain/errors.ts';
import type { Batch, Cell, Column, Table } from './table.ts';

const BATCH_ROWS = 4_096;

/**
 * Reads a Parquet file a page at a time: a writer may put a whole year into one row group, and decoding that at once
 * takes a hundred bytes of memory for each of its values. In memory are the packed columns of one row group and the
 * unpacked page of each.
 */
export async function openParquet(path: string, bytes: number): Promise<Table> {
  const handle = await open(path, 'r');
  const file = bufferOf(handle, bytes);
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
  } catch (error) {
    await handle.close();
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: this Parquet file cannot be read: ${(error as Error).message}. Fetch it again.`,
    );
  }
  const schema = parquetSchema(metadata);
  const columns: Column[] = schema.children.map(({ element }) => ({
    name: element.name,
    wallClock: isWallClock(element),
  }));
  return {
    format: 'parquet',
    columns,
    bytes,
    indexOf: (name) => columns.findIndex((column) => column.name === name),
    batches: (wanted) => readGroups({ path, file, metadata, schema, wanted, bytes }),
    close: () => handle.close(),
  };
}

function bufferOf(handle: FileHandle, bytes: number): AsyncBuffer {
  return {
    byteLength: bytes,
    async slice(start, end = bytes) {
      const buffer = new ArrayBuffer(end - start);
      const { bytesRead } = await handle.read(new Uint8Array(buffer), 0, end - start, start);
      return bytesRead === end - start ? buffer : buffer.slice(0, bytesRead);
    },
  };
}

/** INT96 and timestamps that are not "adjusted to UTC" carry no zone. */
function isWallClock({ type, logical_type: logical, converted_type: converted }: SchemaElement) {
  if (logical?.type === 'TIMESTAMP') return !logical.isAdjustedToUTC;
  return type === 'INT96' || converted === 'DATE' || logical?.type === 'DATE';
}

interface Reading {
  path: string;
  file: AsyncBuffer;
  metadata: FileMetaData;
  schema: SchemaTree;
  wanted: readonly number[];
  bytes: number;
}

async function* readGroups(reading: Reading): AsyncGenerator<Batch> {
  const { metadata, schema, wanted } = reading;
  const width = schema.children.length;
  const total = Number(metadata.num_rows);
  let row = 0;
  for (const group of metadata.row_groups) {
    const pages = await Promise.all(wanted.map((index) => openColumn(reading, group, index)));
    for (let left = Number(group.num_rows); left > 0;) {
      const count = Math.min(left, BATCH_ROWS);
      const rows: Cell[][] = Array.from({ length: count }, () => new Array<Cell>(width).fill(null));
      for (const [at, index] of wanted.entries()) pages[at]!.fill(rows, index);
      const lines = rows.map((_, offset) => row + offset + 1);
      row += count;
      left -= count;
      const bytesRead = Math.round((reading.bytes * row) / total);
      yield { rows, lines, broken: [], bytesRead };
    }
  }
}

interface ColumnReader {
  /** Sets the next `rows.length` cells of the column. */
  fill(rows: readonly Cell[][], index: number): void;
}

async function openColumn(
  { path, file, schema }: Reading,
  group: RowGroup,
  index: number,
): Promise<ColumnReader> {
  const name = schema.children[index]!.element.name;
  const chunk = group.columns.find(({ meta_data: meta }) => meta?.path_in_schema[0] === name);
  const schemaPath = getTreePath(schema, chunk?.meta_data?.path_in_schema ?? [name]);
  if (!chunk?.meta_data || !isFlatColumn(schemaPath)) {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: the column "${name}" holds lists or structures; expected single values.`,
    );
  }
  const pages = pagesOf(chunk, schemaPath, await sliceOf(file, chunk));
  let page: DecodedArray = [];
  let at = 0;
  return {
    fill(rows, column) {
      for (const row of rows) {
        while (at >= page.length) {
          const next = pages.next();
          if (next.done) {
            throw new KairosError(
              'IMPORT_INVALID',
              `${path}: the column "${name}" ends before its row group does; fetch the file again.`,
            );
          }
          [page, at] = [next.value, 0];
        }
        row[column] = (page[at] as Cell | undefined) ?? null;
        at += 1;
      }
    },
  };
}

async function sliceOf(file: AsyncBuffer, { meta_data: meta }: ColumnChunk): Promise<DataView> {
  const start = Number(meta!.dictionary_page_offset || meta!.data_page_offset);
  const end = start + Number(meta!.total_compressed_size);
  return new DataView(await file.slice(start, end));
}

function* pagesOf(
  { meta_data: meta }: ColumnChunk,
  schemaPath: SchemaTree[],
  view: DataView,
): Generator<DecodedArray> {
  const decoder = {
    pathInSchema: meta!.path_in_schema,
    type: meta!.type,
    codec: meta!.codec,
    element: schemaPath.at(-1)!.element,
    schemaPath,
    parsers: DEFAULT_PARSERS,
    compressors,
  };
  const reader = { view, offset: 0 };
  let dictionary: DecodedArray | undefined;
  while (reader.offset < view.byteLength - 1) {
    const header = parquetHeader(reader);
    const { data } = readPage(reader, header, decoder, dictionary, undefined, 0);
    if (!data) continue;
    if (header.type === 'DICTIONARY_PAGE') dictionary = convert(data, decoder);
    else yield data;
  }
}
