import { invalid } from '../check.ts';

/**
 * A table as a file has it: text in named columns, before anyone knows what a column means. An empty text is a missing
 * value. Columns instead of rows, since everything that reads it reads one column after the other.
 */
export interface RawTable {
  readonly rows: number;
  readonly names: readonly string[];
  /** As many as names, each of `rows` texts. */
  readonly columns: readonly (readonly string[])[];
}

/** Errors: MODEL_INVALID where a row has another count of cells than there are names, or a name stands twice. */
export function tableOf(rows: readonly (readonly string[])[], names: readonly string[]): RawTable {
  rows.forEach((row, i) => {
    if (row.length === names.length) return;
    throw invalid(
      `Row ${i} has ${row.length} cells; expected ${names.length}, one for each column.`,
      { row: i },
    );
  });
  const columns = names.map((_, j) => rows.map((row) => row[j]!));
  checkTable({ rows: rows.length, names, columns });
  return { rows: rows.length, names, columns };
}

export function checkTable({ rows, names, columns }: RawTable): void {
  if (rows < 1) throw invalid('The table has no rows; expected at least one.');
  if (columns.length !== names.length) {
    throw invalid(`The table has ${columns.length} columns and ${names.length} names.`);
  }
  names.forEach((name, j) => {
    if (names.indexOf(name) < j) {
      throw invalid(`The column "${name}" stands twice; rename one of them.`, { column: name });
    }
    if (columns[j]!.length !== rows) {
      throw invalid(`Column "${name}" has ${columns[j]!.length} values; expected ${rows}.`, {
        column: name,
      });
    }
  });
}

/** One column; MODEL_INVALID names those there are. */
export function cellsOf(table: RawTable, name: string): readonly string[] {
  const index = table.names.indexOf(name);
  if (index >= 0) return table.columns[index]!;
  const known = table.names.map((n) => `"${n}"`).join(', ');
  throw invalid(`There is no column "${name}"; the table has ${known}.`, { column: name });
}

/** These rows, in this order. */
export function takeTableRows(table: RawTable, rows: ArrayLike<number>): RawTable {
  const places = Array.from(rows);
  return {
    rows: places.length,
    names: table.names,
    columns: table.columns.map((cells) => places.map((row) => cells[row]!)),
  };
}

/** A copy in which one column says something else; how importance and counterfactuals ask "what if". */
export function withCells(table: RawTable, name: string, cells: readonly string[]): RawTable {
  return {
    ...table,
    columns: table.columns.map((old, j) => (table.names[j] === name ? cells : old)),
  };
}
