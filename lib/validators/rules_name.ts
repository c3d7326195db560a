import type { ValidateSettings } from "../config/sections/validate.ts";
import { sha256Hex } from "../core/hash.ts";
import { VERSION } from "../core/version.ts";
import { allowListText } from "./pickle/rules/allow_list.ts";

/**
 * Returns a name for the rules that decide, with the bytes and the path of a file, whether it passes the checks with
 * {@link Checker.passesWithSameRules}: those of this version of the program, its allow-list, and the settings. Other
 * rules have another name. A clone may follow the allow-list between two versions.
 */
export async function rulesNameOf({ pickle }: ValidateSettings): Promise<string> {
  return await sha256Hex(JSON.stringify([VERSION, allowListText(), pickle]));
}
