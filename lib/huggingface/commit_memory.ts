import * as z from "zod";
import { sha256Hex } from "../core/hash.ts";
import { RebuiltFile } from "../store/rebuilt_file.ts";
import type { Store } from "../store/store.ts";
import type { KnownCommit } from "./hub.ts";
import type { HubSettings } from "./hub_settings.ts";

const MEMORY = new RebuiltFile(
  "hub_commit.json",
  z.object({ question: z.string(), commit: z.string(), etag: z.string() }),
);

/**
 * Returns the commit that the hub last reported for the revision, with its ETag: the next request can be conditional.
 * The hub's answer depends on the token, so the question's name covers a digest of it.
 */
export async function findKnownCommit(store: Store, settings: HubSettings): Promise<KnownCommit | undefined> {
  const memory = MEMORY.find(store);
  if (memory === undefined || memory.question !== await nameQuestion(settings)) return undefined;
  const { commit, etag } = memory;
  return { commit, etag };
}

export async function rememberCommit(store: Store, settings: HubSettings, known: KnownCommit): Promise<void> {
  const { commit, etag } = known;
  if (etag === undefined) return;
  MEMORY.replace(store, { question: await nameQuestion(settings), commit, etag });
}

async function nameQuestion({ endpoint, repoId, revision, token }: HubSettings): Promise<string> {
  const credential = token === undefined ? "" : await sha256Hex(token.reveal());
  return await sha256Hex([endpoint, repoId, revision, credential].join("\n"));
}
