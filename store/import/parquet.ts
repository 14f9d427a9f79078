import { type FileHandle, open } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetSchema,
  type RowGroup,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';
import { getTreePath, isFlatColumn } from 'hyparquet/src/schema.js';
import { KairosError } from '../../domain/errors.ts';
import { columnPages, type ColumnPages } from './parquet-pages.ts';
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
    delimiter: ',',
    encoding: 'utf-8',
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
    const columns = await Promise.all(wanted.map((index) => openColumn(reading, group, index)));
    for (let left = Number(group.num_rows); left > 0;) {
      const count = Math.min(left, BATCH_ROWS);
      const blank: Cell[] = Array.from({ length: width }, () => null);
      const rows = Array.from({ length: count }, () => blank.slice());
      for (const [at, index] of wanted.entries()) fill(reading, rows, index, columns[at]!);
      const lines = rows.map((_, offset) => row + offset + 1);
      row += count;
      left -= count;
      const bytesRead = Math.round((reading.bytes * row) / total);
      yield { rows, lines, broken: [], bytesRead };
    }
  }
}

/** Sets one cell of each row. */
function fill(
  { path, schema }: Reading,
  rows: readonly Cell[][],
  index: number,
  column: ColumnPages,
): void {
  for (const row of rows) {
    const cell = column.next();
    if (cell === undefined) {
      const { name } = schema.children[index]!.element;
      throw new KairosError(
        'IMPORT_INVALID',
        `${path}: the column "${name}" ends before its row group does; fetch the file again.`,
      );
    }
    row[index] = cell;
  }
}

async function openColumn(
  { path, file, schema }: Reading,
  group: RowGroup,
  index: number,
): Promise<ColumnPages> {
  const name = schema.children[index]!.element.name;
  const meta = group.columns.find(
    (chunk) => chunk.meta_data?.path_in_schema[0] === name,
  )?.meta_data;
  const schemaPath = getTreePath(schema, meta?.path_in_schema ?? [name]);
  if (!meta || !isFlatColumn(schemaPath)) {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: the column "${name}" holds lists or structures; expected single values.`,
    );
  }
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const bytes = await file.slice(start, start + Number(meta.total_compressed_size));
  return columnPages(meta, schemaPath, new DataView(bytes));
}
