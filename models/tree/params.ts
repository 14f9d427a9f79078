import { checkParam, invalid } from '../check.ts';
import type { Matrix } from '../matrix.ts';

/** Parameters that trees, forests and boosting share. */
export interface ColumnParams {
  /** Columns whose numbers are names of categories, without an order; an unknown one is read as missing. */
  readonly categorical?: readonly string[];
  /** By column 1 where the prediction must not fall when it rises, −1 where it must not rise. */
  readonly monotone?: Readonly<Record<string, 1 | -1>>;
}

/** The monotone directions by place; MODEL_INVALID for a column that is absent or categorical. */
export function directions(X: Matrix, { monotone, categorical }: ColumnParams): Int8Array | null {
  const entries = Object.entries(monotone ?? {});
  if (entries.length === 0) return null;
  const found = new Int8Array(X.columns);
  for (const [name, direction] of entries) {
    const column = X.names.indexOf(name);
    if (column < 0) {
      throw invalid(
        `The parameter monotone names the column "${name}", which the data does not have.`,
        {
          column: name,
        },
      );
    }
    if (categorical?.includes(name)) {
      throw invalid(
        `The parameter monotone names the column "${name}", which is categorical; expected one with an order.`,
        { column: name },
      );
    }
    checkParam(`monotone.${name}`, direction, -1, 1);
    found[column] = direction;
  }
  return found;
}
