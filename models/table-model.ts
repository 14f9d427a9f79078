import type { Calibrator } from './calibration/calibrate.ts';
import { calibrate, calibratorFromJSON } from './calibration/calibrate.ts';
import { checkJson, invalid, invalidJson, namesOf, numberOf } from './check.ts';
import type { ModelJson } from './estimator.ts';
import { FittedTableEncoder } from './preprocess/table-encoder.ts';
import type { RawTable } from './preprocess/table.ts';
import { cellsOf } from './preprocess/table.ts';
import { binaryModelFromJSON } from './registry.ts';
import { blend } from './select/blend.ts';
import type { FittedMember } from './select/select.ts';

const FORMAT = 1;

/**
 * A model from a table as a file has it to P(yes): what the columns mean, one or more models whose log-odds are
 * averaged, and the curve that calibrates them. Unseen categories, blanks and new columns do not stop it.
 */
export class TableModel {
  readonly kind = 'table';
  /** The table's columns that it looks at. */
  readonly names: readonly string[];
  readonly target: { readonly name: string; readonly positive: string };
  readonly members: readonly FittedMember[];
  readonly calibrator: Calibrator;
  /** From which probability on it says yes. */
  readonly threshold: number;

  constructor(state: {
    names: readonly string[];
    target: { readonly name: string; readonly positive: string };
    members: readonly FittedMember[];
    calibrator: Calibrator;
    threshold: number;
  }) {
    this.names = state.names;
    this.target = state.target;
    this.members = state.members;
    this.calibrator = state.calibrator;
    this.threshold = state.threshold;
  }

  /** P(yes) for each row. Errors: MODEL_INVALID where a column that it was fitted on is absent. */
  predictProba(table: RawTable): Float64Array {
    for (const name of this.names) cellsOf(table, name);
    const matrices = new Map(
      this.members.map(({ encoder }) => [encoder.flavour, encoder.transform(table)]),
    );
    const said = this.members.map(({ model, encoder }) =>
      model.predictProba(matrices.get(encoder.flavour)!),
    );
    const mixed =
      said.length === 1
        ? said[0]!
        : blend(
            this.members.map((m) => m.weight),
            said,
          );
    return calibrate(this.calibrator, mixed);
  }

  predict(table: RawTable): Uint8Array {
    return Uint8Array.from(this.predictProba(table), (p) => (p >= this.threshold ? 1 : 0));
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: FORMAT,
      names: this.names,
      target: this.target,
      threshold: this.threshold,
      calibrator: this.calibrator,
      members: this.members.map(({ weight, encoder, model }) => ({
        weight,
        encoder: encoder.toJSON(),
        model: model.toJSON(),
      })),
    };
  }

  static fromJSON(json: ModelJson): TableModel {
    checkJson(json, 'table', FORMAT);
    const stored = json['members'];
    if (!Array.isArray(stored) || stored.length === 0)
      throw invalidJson('table', 'it has no model');
    const target = json['target'] as TableModel['target'] | undefined;
    if (typeof target?.name !== 'string') throw invalidJson('table', 'its target has no name');
    return new TableModel({
      names: namesOf(json),
      target,
      threshold: numberOf(json, 'threshold'),
      calibrator: calibratorFromJSON(json['calibrator']),
      members: stored.map((member: Record<string, unknown>) => ({
        weight: numberOf(json, 'weight', member),
        encoder: FittedTableEncoder.fromJSON(member['encoder'] as ModelJson),
        model: binaryModelFromJSON(member['model']),
      })),
    });
  }
}

/** A stored table model. Errors: MODEL_INVALID where it is none or damaged. */
export function tableModelFromJSON(json: unknown): TableModel {
  if (typeof json !== 'object' || json === null || (json as ModelJson).kind !== 'table') {
    throw invalid(
      'The file holds no model that `kairos train --csv` wrote; expected kind "table".',
    );
  }
  return TableModel.fromJSON(json as ModelJson);
}
