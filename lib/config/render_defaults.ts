import { ModelSync } from "./schema.ts";
import { GENERAL } from "./general.ts";

/** Returns the text of `section_defaults.ts`: the defaults of the sections that most configurations do not have. */
export function renderDefaults(): string {
  const sections = Object.entries(ModelSync.parse({})).filter(([name]) => !Object.hasOwn(GENERAL, name));
  const lines = sections.map(([name, defaults]) => `  ${name}: ${JSON.stringify(defaults)},\n`);
  return `// deno-fmt-ignore-file
// Written by: deno task build-reference
import type { GENERAL } from "./general.ts";
import type { ModelSync } from "./schema.ts";

/** The sections that only some configurations have. */
export type Sections = Pick<ModelSync, Exclude<keyof ModelSync, keyof typeof GENERAL>>;

/** The defaults of each section of the configuration, as its schema gives them. A test compares both. */
export const SECTION_DEFAULTS: Sections = {
${lines.join("")}};
`;
}
