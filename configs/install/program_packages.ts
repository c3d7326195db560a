import { join } from "node:path";
import * as z from "zod";
import { ORT_PACKAGE } from "../../lib/validators/onnx/ort_package.ts";

/**
 * Returns what loads the packages of users, as arguments of `deno cache` and `deno info`: `cli/main.ts`, which loads all
 * commands and these all the rest, and ONNX Runtime, which has a configuration and a lock file of its own.
 *
 * @param project the folder of the clone
 */
export function programEntries(project: string): string[][] {
  return [[join(project, "cli/main.ts")], ["--config", join(project, ONNX_FOLDER, "deno.json"), ORT_PACKAGE]];
}

const ONNX_FOLDER = "lib/validators/onnx";

const Lock = z.looseObject({
  specifiers: z.record(z.string(), z.string()),
  npm: z.record(z.string(), z.unknown()),
});

/**
 * Returns the text of a lock file for all packages of the clone: `deno.lock` with the packages of ONNX Runtime.
 *
 * @param project the folder of the clone
 */
export function wholeLock(project: string): string {
  const read = (path: string) => Lock.parse(JSON.parse(Deno.readTextFileSync(join(project, path))));
  const [main, onnx] = [read("deno.lock"), read(`${ONNX_FOLDER}/deno.lock`)];
  const specifiers = { ...onnx.specifiers, ...main.specifiers };
  return JSON.stringify({ ...main, specifiers, npm: { ...onnx.npm, ...main.npm } });
}
