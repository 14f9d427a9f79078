import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calibrationPlot, gainPlot, importancePlot } from '../models/plots.ts';
import type { TableCard } from '../models/train-table.ts';
import type { Evaluation } from './model-file.ts';

/** The three plots of a model, as files. */
export async function writePlots(
  folder: string,
  found: Evaluation,
  card: TableCard,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const title = `${card.target.name} = ${card.target.positive}`;
  const plots = {
    'calibration.svg': calibrationPlot(found.calibration, `Calibration: ${title}`),
    'gain.svg': gainPlot(found.lift, `Gain: ${title}`),
    'importance.svg': importancePlot(
      card.importance,
      `Fall of the ROC AUC without a column: ${title}`,
    ),
  };
  for (const [name, svg] of Object.entries(plots)) await writeFile(join(folder, name), svg);
}
