import { join } from "node:path";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { removeIfThere, syncFolder } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";

/** Packs of commits that the registry may not have. If such a commit is given up, its pack is only garbage. */
const UnpushedPacks = z.array(z.strictObject({
  /** The pack's name without extension. */
  name: z.string().regex(/^pack-(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  /** The tree of its commit. */
  tree: z.string(),
}));
type UnpushedPacks = z.infer<typeof UnpushedPacks>;

/** The number of newest commits among which that of a pack is searched. A commit that was not pushed is one of them. */
const COMMITS_MAX = 1_000;

function stateFile({ fs }: Pick<Context, "fs">, registry: Registry): StateFile<UnpushedPacks> {
  return new StateFile<UnpushedPacks>(fs, join(registry.gitDir, "model-sync.packs"), UnpushedPacks);
}

/** Returns the packs on record. A damaged record costs disk space only. */
function readPacks(context: Pick<Context, "fs">, registry: Registry): UnpushedPacks {
  const read = stateFile(context, registry).read();
  return read.kind === "found" ? read.value : [];
}

/**
 * Moves a complete pack into the clone. In a clone of our own, it is deleted again if its commit is never pushed; in a
 * user's clone, git does that.
 *
 * @param from the folder of the pack and its index
 */
export function placePack(
  context: Pick<Context, "fs">,
  registry: Registry,
  from: string,
  pack: { readonly name: string; readonly tree: ObjectId },
): void {
  const { fs } = context;
  const folder = join(registry.objectsDir, "pack");
  if (registry.isOwn) stateFile(context, registry).replace([...readPacks(context, registry), pack]);
  fs.mkdirSync(folder, { recursive: true });
  // Git finds a pack by its index, which therefore comes last.
  for (const extension of [".pack", ".idx"]) {
    fs.renameSync(join(from, `${pack.name}${extension}`), join(folder, `${pack.name}${extension}`));
  }
  syncFolder(fs, folder);
}

/** Deletes the packs of commits that were given up or never created. */
export async function deleteGivenUpPacks(context: Pick<Context, "fs">, registry: Registry): Promise<void> {
  const packs = readPacks(context, registry);
  if (packs.length === 0) return;
  const trees = await registry.git.uninterrupted().text(
    ["log", "--all", "--format=%T", `--max-count=${COMMITS_MAX}`],
    { action: `list the commits of ${registry.git.repoDir}` },
  );
  const kept = new Set(trees.split("\n"));
  for (const { name } of packs.filter(({ tree }) => !kept.has(tree))) {
    for (const extension of [".idx", ".pack"]) {
      removeIfThere(context.fs, join(registry.objectsDir, "pack", `${name}${extension}`));
    }
  }
  recordPacks(context, registry, packs.filter(({ tree }) => kept.has(tree)));
}

/** Forgets all packs on record: the registry has their commits. */
export function keepPacks(context: Pick<Context, "fs">, registry: Registry): void {
  if (readPacks(context, registry).length > 0) recordPacks(context, registry, []);
}

function recordPacks(context: Pick<Context, "fs">, registry: Registry, packs: UnpushedPacks): void {
  if (packs.length === 0) stateFile(context, registry).remove();
  else stateFile(context, registry).replace(packs);
}
