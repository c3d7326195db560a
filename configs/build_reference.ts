import { join } from "node:path";
import { jsonSchema } from "../lib/config/keys.ts";
import { renderReference } from "../lib/config/reference.ts";
import { renderStarter } from "../lib/config/starter.ts";

/** Writes the files that are derived from the schema of the configuration: `deno task build-reference`. */

/** The generated part of the guide. The formatter would pad its tables to the width of the longest comment. */
const [START, END] = ["<!-- deno-fmt-ignore-start -->\n", "<!-- deno-fmt-ignore-end -->\n"];

/** Returns the configuration guide with a current reference of all settings. */
export function buildGuide(guide: string): string {
  const [written = ""] = guide.split(START);
  return `${written}${START}\n${renderReference(new Map())}\n${END}`;
}

/** Returns `configs/bot.yaml`: the output of `config init`, with a line for editors. */
export function buildBotYaml(): string {
  return `# yaml-language-server: $schema=./model-sync.schema.json\n${renderStarter()}`;
}

if (import.meta.main) {
  const root = join(import.meta.dirname ?? ".", "..");
  const guide = join(root, ".github/guides/configuration.md");
  Deno.writeTextFileSync(guide, buildGuide(Deno.readTextFileSync(guide)));
  Deno.writeTextFileSync(join(root, "configs/bot.yaml"), buildBotYaml());
  Deno.writeTextFileSync(
    join(root, "configs/model-sync.schema.json"),
    `${JSON.stringify(jsonSchema(), undefined, 2)}\n`,
  );
}
