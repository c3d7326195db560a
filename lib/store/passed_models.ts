import * as z from "zod";
import type { Sha256 } from "../core/hash.ts";
import { MANIFEST_BYTES_MAX, type ReleaseFile } from "../release/manifest.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

/** The models that passed the checks of the last publish. */
export interface PassedModels {
  /** The name of the rules under which they passed. */
  readonly rules: string;
  /** The SHA-256 of each model, by path. */
  readonly files: ReadonlyMap<string, Sha256>;
}

const PASSED = new RebuiltFile(
  "passed_models.json",
  z.object({
    schema: z.literal(1),
    rules: z.string(),
    /** A digest, a space and a path in each line: of many models, entries of their own would cost seconds. */
    files: z.string(),
  }),
  // A line is shorter than the entry in the manifest.
  { bytesMax: MANIFEST_BYTES_MAX },
);

/** Returns the models that passed the last checks of this machine's publishes; `undefined` if they are unknown. */
export function findPassedModels(store: Store): PassedModels | undefined {
  const found = PASSED.find(store);
  if (found === undefined) return undefined;
  const files = new Map<string, Sha256>();
  for (const line of found.files.split("\n")) {
    const end = line.indexOf(" ");
    if (end > 0) files.set(line.slice(end + 1), line.slice(0, end));
  }
  return { rules: found.rules, files };
}

/**
 * Remembers models that passed the checks before a publish, in place of those before. Ignores a failure of the disk: it
 * costs only another check.
 */
export function rememberPassedModels(
  store: Store,
  rules: string,
  files: readonly Pick<ReleaseFile, "path" | "sha256">[],
): void {
  const lines = files.map(({ path, sha256 }) => `${sha256} ${path}`).join("\n");
  PASSED.remember(store, { schema: 1, rules, files: lines });
}
