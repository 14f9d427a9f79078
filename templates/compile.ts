import { freezeTemplate, type TemplateSource } from './freeze.ts';
import { openTemplate, type CompiledTemplate } from './render.ts';

/** Freezes and opens a template in one go: for previews and tests. A sender opens what was frozen before. */
export function compileTemplate(source: TemplateSource): CompiledTemplate {
  return openTemplate(freezeTemplate(source));
}
