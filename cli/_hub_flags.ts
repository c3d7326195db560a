import type { FlagParametersForType } from "@stricli/core";
import type { ModelSync } from "../lib/config/schema.ts";
import type { RepoLayout } from "../lib/huggingface/repo_layout.ts";
import { textFlag } from "./_command.ts";

/** The options of both commands for a Hugging Face hub. */
export interface HubFlags {
  readonly repoId?: string;
  readonly revision?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

function patterns(brief: string) {
  return { kind: "parsed", parse: String, optional: true, variadic: true, brief } as const;
}

export const HUB_FLAGS: FlagParametersForType<HubFlags> = {
  repoId: textFlag("model repository on the hub: owner/name"),
  revision: textFlag("branch; a pull also takes a tag or a commit (default: main)"),
  include: patterns("only files that match, such as *.joblib; may be repeated"),
  exclude: patterns("no files that match; may be repeated"),
};

/** Which files of the repository are models, as the configuration has it. */
export function repoLayout({ huggingface }: ModelSync): RepoLayout {
  const { path_in_repo, include, exclude } = huggingface;
  return { folder: path_in_repo, include, exclude };
}
