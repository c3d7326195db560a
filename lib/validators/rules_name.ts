import type { ValidateSettings } from "../config/sections/validate.ts";
import { sha256Hex } from "../core/hash.ts";
import { VERSION } from "../core/version.ts";
import { allowListText } from "./pickle/rules/allow_list.ts";

/**
 * Returns a name for the rules that decide, with the bytes and the path of a file, whether it passes the checks with
 * {@link Checker.passesWithSameRules}: those of this version of the program, its allow-list, and the settings. Other
 * rules have another name. A clone may follow the allow-list between two versions.
 */
export async function rulesNameOf({ pickle, onnx }: ValidateSettings): Promise<string> {
  const name = await sha256Hex(JSON.stringify([VERSION, allowListText(), pickle]));
  const unloaded = onnx.structure_only;
  return unloaded.length === 0 ? name : `${name} ${await sha256Hex(JSON.stringify(unloaded))}`;
}

/**
 * Returns under which rules files passed that are now checked under others. `unknown` if other models were loaded at that
 * time (`activation.validate.onnx.structure_only`): whether a model loads is not known from its structure.
 *
 * @param passed the name of the rules then; `undefined` if no check is known
 * @param present the name of the rules now
 */
export function comparePassed(
  passed: string | undefined,
  present: string,
): "same-rules" | "other-rules" | "unknown" {
  if (passed === undefined || unloadedOf(passed) !== unloadedOf(present)) return "unknown";
  return passed === present ? "same-rules" : "other-rules";
}

function unloadedOf(rules: string): string | undefined {
  return /^[0-9a-f]{64} ([0-9a-f]{64})$/.exec(rules)?.[1];
}
