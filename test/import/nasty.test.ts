import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importFiles } from '../../store/import/pipeline.ts';
import { type ImportReport, sumOf } from '../../store/import/report.ts';
import { db, folder, mappingOf, useShop } from './shop.ts';
import { NASTY_FILES, type NastyFile } from './nasty-files.ts';
import { writeFiles } from './support.ts';

useShop();

async function load({ name, kind = 'orders', yaml }: NastyFile): Promise<ImportReport | string> {
  const mapping = yaml === undefined ? undefined : mappingOf(yaml);
  try {
    return await importFiles(db, { kind, files: [join(folder, name)], mapping });
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    return `${code}: ${message.replaceAll(folder, '…')}`;
  }
}

/** One line that says what became of each row. */
function words(report: ImportReport): string {
  const parts = [
    `${report.read} read`,
    `${report.accepted} accepted`,
    ...(report.duplicates > 0 ? [`${report.duplicates} duplicates`] : []),
    ...Object.entries({ ...report.rejected }).map(([why, n]) => `${n} rejected (${why})`),
    `${report.added} added`,
    ...(report.changed > 0 ? [`${report.changed} changed`] : []),
    ...Object.entries(report.notes).map(([what, n]) => `${n} × ${what}`),
  ];
  return parts.join(', ');
}

describe('nasty files', () => {
  it('are more than sixty', () => {
    expect(new Set(NASTY_FILES.map(({ name }) => name)).size).toBe(NASTY_FILES.length);
    expect(NASTY_FILES.length).toBeGreaterThanOrEqual(60);
  });

  it.each(NASTY_FILES)(
    '$name',
    async (file) => {
      writeFiles(folder, { [file.name]: file.content });
      const first = await load(file);
      if (typeof first === 'string') {
        expect(first).toMatchSnapshot();
        expect(first).toMatch(/^IMPORT_INVALID: [^\n]+[.?]$/);
        return;
      }
      expect(words(first)).toMatchSnapshot();
      // Nothing is lost: each row is one of these, and each rejected one lies in the file with its reason.
      const { read, accepted, duplicates, skipped, rejected, records, added, changed, unchanged } =
        first;
      expect(accepted + duplicates + skipped + sumOf(rejected)).toBe(read);
      expect(added + changed + unchanged).toBe(records);
      const path = join(folder, `${file.name}.rejected.csv`);
      expect(existsSync(path)).toBe(sumOf(rejected) > 0);
      if (sumOf(rejected) > 0)
        expect(readFileSync(path, 'utf8')).toMatch(/rejected_line.rejected_field.rejected_reason/);
      // Twice is once.
      expect(await load(file)).toMatchObject({ read, accepted, added: 0, changed: 0 });
    },
    60_000,
  );

  it('folders and missing files are told from files', async () => {
    mkdirSync(join(folder, 'folder.csv'), { recursive: true });
    expect(await load({ name: 'folder.csv', content: '' })).toMatchInlineSnapshot(
      `"IMPORT_INVALID: …/folder.csv: this is a folder; expected files, such as …/folder.csv/*.csv."`,
    );
    expect(await load({ name: 'none.csv', content: '' })).toMatchInlineSnapshot(
      `"IMPORT_INVALID: …/none.csv: there is no such file to import."`,
    );
  });
});
