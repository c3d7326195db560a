/**
 * Speed and memory against what one would type instead, in the same run on the same machine.
 *
 *     deno task bench             every scenario: about 20 minutes, 20 GB of disk
 *     deno task bench pull help   the scenarios whose names begin so
 *
 * Every number is a median. `wanted` is what the project promises; a missed promise ends the run with exit code 1.
 */
import { join } from "node:path";
import { tempDir } from "../helpers/temp_dir.ts";
import { createArchive, extractDeflated, extractStored, memoryOfExtraction } from "./archive_scenarios.ts";
import { artifactMemory, artifactUnchanged } from "./artifact_scenarios.ts";
import { helpStart, rollbackTime, verifyDeep } from "./command_scenarios.ts";
import { downloadVerified } from "./download_scenarios.ts";
import { validateSafetensors } from "./format_scenarios.ts";
import { hubPullLarge, hubPullUnchanged, hubUpload } from "./huggingface_scenarios.ts";
import { firstClone, memoryOfPublishAndPull, pullOneChanged } from "./pull_scenarios.ts";
import { publishNew, publishUnchanged } from "./publish_scenarios.ts";
import { planReferences } from "./reference_scenarios.ts";
import { signAndVerify } from "./signing_scenarios.ts";
import { walkPickles } from "./validate_scenarios.ts";

/** One line of the table. */
export interface Result {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** How they compare, as the promise counts it. */
  readonly ratio: string;
  readonly wanted: string;
  readonly kept: boolean;
}

/** Measures one promise in an empty folder. */
export type Scenario = (dir: string) => Promise<readonly Result[]>;

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "help": helpStart,
  "publish-new": publishNew,
  "publish-unchanged": publishUnchanged,
  "pull-one-changed": pullOneChanged,
  "pull-first": firstClone,
  "rollback": rollbackTime,
  "verify": verifyDeep,
  "memory": memoryOfPublishAndPull,
  "download": downloadVerified,
  "archive-stored": extractStored,
  "archive-deflated": extractDeflated,
  "archive-create": createArchive,
  "archive-memory": memoryOfExtraction,
  "hub-unchanged": hubPullUnchanged,
  "hub-pull-large": hubPullLarge,
  "hub-upload": hubUpload,
  "artifact-unchanged": artifactUnchanged,
  "artifact-memory": artifactMemory,
  "validate-safetensors": validateSafetensors,
  "sign": signAndVerify,
  "validate-pickle": walkPickles,
  "references": planReferences,
};

if (import.meta.main) {
  const chosen = Object.entries(SCENARIOS).filter(([name]) =>
    Deno.args.length === 0 || Deno.args.some((prefix) => name.startsWith(prefix))
  );
  const results: Result[] = [];
  for (const [name, scenario] of chosen) {
    print(`${name} ...\n`, Deno.stderr);
    using dir = tempDir();
    const folder = join(dir.path, name);
    Deno.mkdirSync(folder);
    results.push(...await scenario(folder));
  }
  print(`\n${table(results)}\n`, Deno.stdout);
  if (results.some((result) => !result.kept)) Deno.exit(1);
}

function table(results: readonly Result[]): string {
  const rows = results.map(({ what, ours, theirs, ratio, wanted, kept }) =>
    `| ${[what, ours, theirs, ratio, wanted, kept ? "yes" : "**no**"].join(" | ")} |`
  );
  return ["| what | model-sync | instead | ratio | wanted | kept |", "|---|---|---|---|---|---|", ...rows]
    .join("\n");
}

function print(text: string, stream: typeof Deno.stdout): void {
  stream.writeSync(new TextEncoder().encode(text));
}
