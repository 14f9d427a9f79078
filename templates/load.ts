import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KairosError } from '../domain/errors.ts';
import type { TemplateData } from './data.ts';
import type { TemplateSource } from './freeze.ts';

/** What a folder below `templates/` holds; the campaign's variant adds the subject and the preheader. */
export type TemplateFiles = Pick<
  TemplateSource,
  'id' | 'html' | 'text' | 'css' | 'sample' | 'partials'
>;

/** Where the templates of this checkout are. */
export const TEMPLATES_FOLDER = import.meta.dirname;

/** The same grammar as in the campaign's schema: no dots, so no way out of the folder. */
const NAME = /^[a-z0-9]+(?:[-/][a-z0-9]+)*$/;

/** Reads template `name` with the shared partials. Throws TEMPLATE_INVALID where a file is not there or not readable. */
export async function loadTemplate(
  name: string,
  folder: string = TEMPLATES_FOLDER,
): Promise<TemplateFiles> {
  if (!NAME.test(name)) {
    throw new KairosError(
      'TEMPLATE_INVALID',
      'the name of a template has lower-case letters, digits, hyphens and slashes, such as "win-back"',
    );
  }
  const read = (file: string) => readFile(join(folder, name, file), 'utf8').catch(() => null);
  const [html, text, css, sample, partials] = await Promise.all([
    read('html.hbs'),
    read('text.hbs'),
    read('style.css'),
    read('sample.json'),
    loadPartials(folder),
  ]);
  for (const [file, content] of Object.entries({ 'html.hbs': html, 'text.hbs': text })) {
    if (content !== null) continue;
    throw new KairosError(
      'TEMPLATE_INVALID',
      `template ${name} has no ${file}; expected templates/${name}/${file}`,
    );
  }
  return {
    id: name,
    html: html!,
    text: text!,
    css: css ?? '',
    sample: parseSample(name, sample),
    partials,
  };
}

function parseSample(name: string, text: string | null): TemplateData {
  try {
    return JSON.parse(text ?? 'null') as TemplateData;
  } catch {
    throw new KairosError(
      'TEMPLATE_INVALID',
      `templates/${name}/sample.json is not JSON; expected the data that the template is shown with`,
    );
  }
}

/** `partials/button.html.hbs` is the partial `button` of HTML parts. */
async function loadPartials(folder: string): Promise<NonNullable<TemplateSource['partials']>> {
  const partials = { html: {} as Record<string, string>, text: {} as Record<string, string> };
  const files = await readdir(join(folder, 'partials')).catch(() => []);
  for (const file of files) {
    const match = /^([a-z0-9-]+)\.(html|text)\.hbs$/.exec(file);
    if (!match) continue;
    const [, name, kind] = match;
    partials[kind as 'html' | 'text'][name!] = await readFile(
      join(folder, 'partials', file),
      'utf8',
    );
  }
  return partials;
}
