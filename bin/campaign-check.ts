import { KairosError } from '../domain/errors.ts';
import type { LocatedProblem } from '../domain/problem.ts';
import { checkTemplate } from '../templates/freeze.ts';
import { loadTemplate, TEMPLATES_FOLDER } from '../templates/load.ts';
import type { FrozenTemplate } from '../templates/render.ts';
import { variantSource } from '../templates/variant.ts';
import { loadCampaign, type LoadedCampaign } from './campaign-file.ts';

/** A campaign file with its templates, ready to be frozen where there are no problems. */
export interface CheckedCampaign {
  readonly loaded: LoadedCampaign;
  readonly problems: readonly LocatedProblem[];
  /** By variant id; all of them where there are no problems. */
  readonly templates: ReadonlyMap<string, FrozenTemplate>;
  /** Personal fields that a mail cannot do without: members that lack one will be skipped. */
  readonly fieldsWithoutFallback: readonly string[];
}

/** Checks a campaign file and every template that it names; `shop.url` is what relative links lead to. */
export async function checkCampaignFile(
  path: string,
  options: { shop: { url: string; locale?: string }; templatesFolder?: string },
): Promise<CheckedCampaign> {
  const loaded = await loadCampaign(path);
  const templates = new Map<string, FrozenTemplate>();
  const problems = [...loaded.problems];
  for (const [index, variant] of (loaded.definition?.variants ?? []).entries()) {
    const at = (field: string) => `/variants/${index}/${field}`;
    try {
      const files = await loadTemplate(
        variant.template,
        options.templatesFolder ?? TEMPLATES_FOLDER,
      );
      const checked = checkTemplate(variantSource(variant, files, options.shop));
      if (checked.frozen) templates.set(variant.id, checked.frozen);
      for (const problem of checked.problems) {
        // Subject and preheader were written in the campaign's file, not in the template's folder.
        const field = /\/(subject|preheader)$/.exec(problem.file)?.[1];
        problems.push(field ? loaded.problem(at(field), `${field}: ${problem.message}`) : problem);
      }
    } catch (error) {
      if (!(error instanceof KairosError)) throw error;
      problems.push(loaded.problem(at('template'), `${error.message}.`));
    }
  }
  const fields = [...templates.values()].flatMap((template) => template.fieldsWithoutFallback);
  return {
    loaded,
    problems: withoutRepeats(problems),
    templates,
    fieldsWithoutFallback: [...new Set(fields)],
  };
}

/** Variants that share a template share its problems. */
function withoutRepeats(problems: readonly LocatedProblem[]): LocatedProblem[] {
  const key = ({ file, line, column, message }: LocatedProblem) =>
    `${file}:${line}:${column}:${message}`;
  return [...new Map(problems.map((problem) => [key(problem), problem])).values()];
}
