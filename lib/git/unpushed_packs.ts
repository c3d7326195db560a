import { join } from "node:path";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { diskError } from "../core/errors.ts";
import { type FileSystem, findEntry, ifFound, removeIfThere, syncFolder } from "../core/files.ts";
import { StateFile } from "../core/state_file.ts";
import { moveFile } from "./copy_files.ts";
import { objectFormatOf, type ObjectId } from "./object_id.ts";
import { packedIds } from "./pack_index.ts";
import type { Registry } from "./registry.ts";

/**
 * The names, without extension, of packs whose commits may not be in the registry. If a commit is never pushed, nothing
 * needs its pack.
 */
const UnpushedPacks = z.lazy(() => z.array(z.string().regex(/^pack-(?:[0-9a-f]{40}|[0-9a-f]{64})$/)));
type UnpushedPacks = z.infer<typeof UnpushedPacks>;

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
 * @param name the pack's name without extension
 */
export async function placePack(
  context: Pick<Context, "fs" | "signal">,
  registry: Registry,
  from: string,
  name: string,
): Promise<void> {
  const { fs } = context;
  const folder = join(registry.objectsDir, "pack");
  // A pack's name is the checksum of its content: an existing one belongs to an earlier commit, which may be published.
  const isNew = findEntry(fs, packPath(registry, name, ".idx")) === undefined;
  if (registry.isOwn && isNew) stateFile(context, registry).replace([...readPacks(context, registry), name]);
  try {
    fs.mkdirSync(folder, { recursive: true });
    // Git finds a pack by its index, which therefore comes last.
    for (const kind of ["pack", "idx"]) {
      const path = packPath(registry, name, `.${kind}`);
      // Git, too, gives its temporary files these names, and removes old ones.
      await moveFile(context, join(from, `${name}.${kind}`), path, join(folder, `tmp_${kind}_`));
    }
    syncFolder(fs, folder);
  } catch (error) {
    throw diskError(error, `write models into ${folder}`);
  }
}

/**
 * Deletes the packs of commits that were given up or never created. A pack stays if a commit of the clone needs any of
 * its objects and no other pack has it: git stores an object only once, also if it fetches another commit with the same
 * model.
 */
export async function deleteGivenUpPacks(context: Pick<Context, "fs">, registry: Registry): Promise<void> {
  const packs = readPacks(context, registry);
  if (packs.length === 0) return;
  const git = registry.git.uninterrupted();
  const needed = await findNeeded(context, registry, packs);
  const givenUp = packs.filter((name) => !needed.has(name));
  if (givenUp.length > 0) {
    // `git gc` fails if a commit in a reflog lacks a file.
    await git.bytes(["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"], {
      action: `forget the commits of ${git.repoDir} that were given up`,
    });
  }
  for (const name of givenUp) {
    for (const extension of [".idx", ".pack"]) removeIfThere(context.fs, packPath(registry, name, extension));
  }
  const unpushed = await git.text(["rev-list", "--max-count=1", "--branches", "--not", "--remotes"], {
    action: `list the unpushed commits of ${git.repoDir}`,
  });
  recordPacks(context, registry, unpushed === "" ? [] : packs.filter((name) => needed.has(name)));
}

/**
 * Returns the packs with an object that a commit or the index needs and that only these packs have: all packs, if git
 * cannot list the needed objects.
 */
async function findNeeded(
  { fs }: Pick<Context, "fs">,
  registry: Registry,
  packs: UnpushedPacks,
): Promise<ReadonlySet<string>> {
  const packsOf = new Map<ObjectId, string[]>();
  for (const name of packs) {
    for (const id of idsOf(fs, registry, name)) packsOf.set(id, [...packsOf.get(id) ?? [], name]);
  }
  for (const { name } of ifFound(() => [...fs.readDirSync(join(registry.objectsDir, "pack"))]) ?? []) {
    const other = /^(pack-[0-9a-f]{40,64})\.idx$/.exec(name)?.[1];
    if (other === undefined || packs.includes(other)) continue;
    for (const id of idsOf(fs, registry, other)) packsOf.delete(id);
  }
  const listing = registry.git.uninterrupted().start(
    ["rev-list", "--objects", "--no-object-names", "--all", "--indexed-objects"],
    { action: `list the objects of ${registry.git.repoDir}` },
  );
  const needed = new Set<string>();
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of listing.stdout) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const id of lines) packsOf.get(id)?.forEach((name) => needed.add(name));
  }
  return (await listing.exit).code === 0 ? needed : new Set(packs);
}

/** Returns the names of the objects in a pack. Git does not know a pack without its index. */
function idsOf(fs: FileSystem, registry: Registry, name: string): ObjectId[] {
  const index = ifFound(() => fs.readFileSync(packPath(registry, name, ".idx")));
  return index === undefined ? [] : packedIds(objectFormatOf(name.slice("pack-".length)), index);
}

function packPath(registry: Registry, name: string, extension: string): string {
  return join(registry.objectsDir, "pack", `${name}${extension}`);
}

/** Forgets all packs on record: the registry has their commits. */
export function keepPacks(context: Pick<Context, "fs">, registry: Registry): void {
  if (readPacks(context, registry).length > 0) recordPacks(context, registry, []);
}

function recordPacks(context: Pick<Context, "fs">, registry: Registry, packs: UnpushedPacks): void {
  if (packs.length === 0) stateFile(context, registry).remove();
  else stateFile(context, registry).replace(packs);
}
