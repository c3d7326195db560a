import type { ValidateSettings } from "../config/sections/validate.ts";
import { sha256Hex } from "../core/hash.ts";
import { VERSION } from "../core/version.ts";

/**
 * Returns a name for the rules that decide, with the bytes and the path of a file, whether it passes the checks with
 * {@link Checker.passesWithSameRules}: those of this version of the program, and the settings. Other rules have another
 * name.
 */
export async function rulesNameOf({ pickle }: ValidateSettings): Promise<string> {
  return await sha256Hex(JSON.stringify([VERSION, pickle]));
}
