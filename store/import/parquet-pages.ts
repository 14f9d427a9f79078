import type { ColumnMetaData, DecodedArray, PageHeader, SchemaTree } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { getMaxDefinitionLevel } from 'hyparquet/src/schema.js';
import type { Cell } from './table.ts';

/**
 * The pages of one flat column of one row group. A page can hold a million values, so those of a dictionary stay
 * numbers of 4 bytes until a row asks for them.
 */
export interface ColumnPages {
  /** The next cell, or undefined behind the last one. */
  next(): Cell | undefined;
}

interface Page {
  readonly values: DecodedArray;
  /** What `values` are indices of; null where they are the values. */
  readonly dictionary: readonly Cell[] | null;
  /** 1 where there is a value, 0 for null; null where all have one. */
  readonly present: Uint8Array | null;
  readonly count: number;
}

type Decoder = Parameters<typeof convert>[1];

export function columnPages(
  meta: ColumnMetaData,
  schemaPath: SchemaTree[],
  view: DataView,
): ColumnPages {
  const decoder: Decoder = {
    pathInSchema: meta.path_in_schema,
    type: meta.type,
    codec: meta.codec,
    element: schemaPath.at(-1)!.element,
    schemaPath,
    parsers: DEFAULT_PARSERS,
    compressors,
  };
  const pages = readPages(decoder, view);
  let page: Page = { values: [], dictionary: null, present: null, count: 0 };
  let row = 0;
  let value = 0;
  return {
    next() {
      while (row === page.count) {
        const next = pages.next();
        if (next.done) return undefined;
        page = next.value;
        row = value = 0;
      }
      const isNull = page.present !== null && page.present[row] === 0;
      row += 1;
      if (isNull) return null;
      const found = page.values[value] as Cell | undefined;
      value += 1;
      return page.dictionary ? page.dictionary[found as number]! : plainCell(found);
    },
  };
}

function* readPages(decoder: Decoder, view: DataView): Generator<Page> {
  const reader = { view, offset: 0 };
  let dictionary: readonly Cell[] = [];
  while (reader.offset < view.byteLength - 1) {
    const header = parquetHeader(reader);
    const packed = new Uint8Array(
      view.buffer,
      view.byteOffset + reader.offset,
      header.compressed_page_size,
    );
    reader.offset += header.compressed_page_size;
    if (header.type === 'DICTIONARY_PAGE') dictionary = readDictionary(header, packed, decoder);
    else if (header.type !== 'INDEX_PAGE') yield readPage(header, packed, decoder, dictionary);
  }
}

function readDictionary(header: PageHeader, packed: Uint8Array, decoder: Decoder): Cell[] {
  const page = decompressPage(packed, header.uncompressed_page_size, decoder.codec, compressors);
  const reader = {
    view: new DataView(page.buffer, page.byteOffset, page.byteLength),
    offset: 0,
  };
  const count = header.dictionary_page_header!.num_values;
  const values = readPlain(reader, decoder.type, count, decoder.element.type_length);
  return Array.from(convert(values, decoder) as ArrayLike<Cell>, plainCell);
}

function readPage(
  header: PageHeader,
  packed: Uint8Array,
  decoder: Decoder,
  dictionary: readonly Cell[],
): Page {
  const second = header.data_page_header_v2;
  const facts = second ?? header.data_page_header!;
  const isIndexed = facts.encoding.endsWith('_DICTIONARY');
  if (isIndexed && !second) {
    const page = decompressPage(packed, header.uncompressed_page_size, decoder.codec, compressors);
    return readIndices(page, facts.num_values, decoder, dictionary);
  }
  const { definitionLevels, dataPage } = second
    ? readDataPageV2(packed, header, decoder)
    : readDataPage(
        decompressPage(packed, header.uncompressed_page_size, decoder.codec, compressors),
        header.data_page_header!,
        decoder,
      );
  const highest = getMaxDefinitionLevel(decoder.schemaPath);
  return {
    values: isIndexed
      ? Uint32Array.from(dataPage as ArrayLike<number>)
      : convert(dataPage, decoder),
    dictionary: isIndexed ? dictionary : null,
    present: definitionLevels?.length
      ? Uint8Array.from(definitionLevels, (level) => (level === highest ? 1 : 0))
      : null,
    count: facts.num_values,
  };
}

/**
 * The usual page, of indices into the dictionary, straight into typed arrays: hyparquet's own would make lists of eight
 * bytes a value first, which is most of the memory that a large file takes.
 */
function readIndices(
  page: Uint8Array,
  count: number,
  decoder: Decoder,
  dictionary: readonly Cell[],
): Page {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const reader = { view, offset: 0 };
  let present: Uint8Array | null = null;
  let filled = count;
  // A flat column has one level at most: there is a value, or there is none.
  if (getMaxDefinitionLevel(decoder.schemaPath) > 0) {
    present = new Uint8Array(count);
    readRleBitPackedHybrid(reader, 1, present);
    filled = present.reduce((sum, level) => sum + level, 0);
  }
  const width = view.getUint8(reader.offset);
  reader.offset += 1;
  const values = new Uint32Array(filled);
  if (width > 0) readRleBitPackedHybrid(reader, width, values, view.byteLength - reader.offset);
  return { values, dictionary, present: filled === count ? null : present, count };
}

/** Whole numbers of 64 bits as numbers where those are exact. */
function plainCell(value: Cell | undefined): Cell {
  if (value === undefined) return null;
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
