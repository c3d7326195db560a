import { join } from "node:path";
import { renderReference } from "../lib/config/reference.ts";

/** Writes the generated part of the configuration guide: `deno task build-reference`. */

const GUIDE = join(import.meta.dirname ?? ".", "../.github/guides/configuration.md");

/** The generated part is between these lines. The formatter would pad its tables to the width of the longest comment. */
const [START, END] = ["<!-- deno-fmt-ignore-start -->\n", "<!-- deno-fmt-ignore-end -->\n"];

/** Returns the guide with a current reference of all settings. */
export function buildReference(guide: string): string {
  const [written = ""] = guide.split(START);
  return `${written}${START}\n${renderReference(new Map())}\n${END}`;
}

if (import.meta.main) Deno.writeTextFileSync(GUIDE, buildReference(Deno.readTextFileSync(GUIDE)));
