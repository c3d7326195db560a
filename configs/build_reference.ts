import { join } from "node:path";
import type { Program } from "../cli/_command.ts";
import { optionName } from "../cli/_help.ts";
import { ENTRIES } from "../cli/_entries.ts";
import { jsonSchema } from "../lib/config/keys.ts";
import { renderDefaults } from "../lib/config/render_defaults.ts";
import { renderReference, type SettingOptions } from "../lib/config/reference.ts";
import { renderStarter } from "../lib/config/starter.ts";
import { describeCommands } from "./describe_commands.ts";
import { renderCommands } from "./commands_reference.ts";

/**
 * Writes the files that are derived from the schema of the configuration and from the declarations of the commands:
 * `deno task build-reference`.
 */

/** The generated part of the guide. The formatter would pad its tables to the width of the longest comment. */
const [START, END] = ["<!-- deno-fmt-ignore-start -->\n", "<!-- deno-fmt-ignore-end -->\n"];

/** Returns the configuration guide with a current reference of all settings. */
export async function buildGuide(guide: string): Promise<string> {
  return withGenerated(guide, renderReference(await settingOptions()));
}

/** Returns the guide to the commands with a current reference of all commands. */
export async function buildCommandsGuide(guide: string): Promise<string> {
  return withGenerated(guide, renderCommands(await loadPrograms()));
}

/** Returns `cli/_shells/commands.json`, with a line for each command and each option, so that a change is easy to see. */
export async function buildCommandFacts(): Promise<string> {
  const facts = JSON.stringify(describeCommands(await loadPrograms()));
  return `${facts.replaceAll('{"name":', '\n{"name":')}\n`;
}

function withGenerated(guide: string, generated: string): string {
  const [written = ""] = guide.split(START);
  return `${written}${START}\n${generated}\n${END}`;
}

async function loadPrograms(): Promise<Program[]> {
  return await Promise.all(Object.values(ENTRIES).map(async ({ load }) => (await load()).program));
}

/** Returns the options of all commands that stand for a setting, by the setting. */
async function settingOptions(): Promise<SettingOptions> {
  const names = new Map<string, Set<string>>();
  for (const program of await loadPrograms()) {
    const commands = "command" in program ? [program.command] : Object.values(program.commands);
    for (const [name, { setting, hidden }] of commands.flatMap(({ options }) => Object.entries(options))) {
      if (setting === undefined || hidden === true) continue;
      names.set(setting, (names.get(setting) ?? new Set()).add(optionName(name)));
    }
  }
  return new Map(Array.from(names, ([setting, options]) => [setting, [...options].sort()]));
}

if (import.meta.main) {
  const root = join(import.meta.dirname ?? ".", "..");
  const guide = join(root, ".github/guides/configuration.md");
  Deno.writeTextFileSync(guide, await buildGuide(Deno.readTextFileSync(guide)));
  const commands = join(root, ".github/guides/commands.md");
  Deno.writeTextFileSync(commands, await buildCommandsGuide(Deno.readTextFileSync(commands)));
  Deno.writeTextFileSync(join(root, "cli/_shells/commands.json"), await buildCommandFacts());
  Deno.writeTextFileSync(join(root, "lib/config/section_defaults.ts"), renderDefaults());
  Deno.writeTextFileSync(join(root, "configs/bot.yaml"), renderStarter());
  Deno.writeTextFileSync(
    join(root, "configs/model-sync.schema.json"),
    `${JSON.stringify(jsonSchema(), undefined, 2)}\n`,
  );
}
