import { join } from "node:path";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { findText, removeIfThere, removeTree, replaceFile } from "../core/files.ts";
import type { Registry } from "./registry.ts";

const Journal = z.object({
  /** The commit that was checked out before the work; null on a branch without commits. */
  head: z.string().nullable(),
  /** What the work was about to write, relative to the repository. */
  paths: z.array(z.string()),
});
type Journal = z.infer<typeof Journal>;

/** Scratch of this program inside the clone's git folder: on the worktree's file system, and seen by nobody. */
export function scratchOf(registry: Registry): string {
  return join(registry.gitDir, "model-sync.part");
}

function journalPath(registry: Registry): string {
  return join(registry.gitDir, "model-sync.journal");
}

/** Announces, durably, that paths of a clean worktree are about to be written. */
export function openJournal(
  context: Context,
  registry: Registry,
  head: string | undefined,
  paths: string[],
): void {
  const journal: Journal = { head: head ?? null, paths };
  replaceFile(context.fs, journalPath(registry), `${JSON.stringify(journal)}\n`);
}

/** What was announced is committed, or was taken back. */
export function closeJournal(context: Context, registry: Registry): void {
  removeIfThere(context.fs, journalPath(registry));
}

/**
 * Takes back what a killed publish wrote into the worktree before it could commit. The worktree was clean then, so
 * that what is restored is what was there.
 *
 * @returns whether there was something to take back
 */
export async function settleJournal(context: Context, registry: Registry): Promise<boolean> {
  await removeTree(context.fs, scratchOf(registry));
  const text = findText(context.fs, journalPath(registry));
  if (text === undefined) return false;
  const journal = Journal.parse(JSON.parse(text));
  const head = await registry.findCommit("HEAD");
  const uncommitted = head === (journal.head ?? undefined);
  if (uncommitted) await restorePaths(registry, head, journal.paths);
  closeJournal(context, registry);
  return uncommitted;
}

/** Makes paths in the index and the worktree what the commit says; those that it has not are removed. */
export async function restorePaths(
  registry: Registry,
  head: string | undefined,
  paths: readonly string[],
): Promise<void> {
  const action = `restore the worktree of ${registry.git.repoDir}`;
  const call = { action, transfer: true };
  if (head === undefined) {
    await registry.git.bytes(
      ["rm", "-r", "-f", "--cached", "--quiet", "--ignore-unmatch", "--", ...paths],
      call,
    );
  } else {
    await registry.git.bytes(["reset", "--quiet", head, "--", ...paths], call);
    const listed = await registry.git.text(["ls-files", "-z", "--", ...paths], { action });
    const held = paths.filter((path) =>
      listed.split("\0").some((name) => name === path || name.startsWith(`${path}/`))
    );
    if (held.length > 0) await registry.git.bytes(["checkout", "--quiet", head, "--", ...held], call);
  }
  await registry.git.bytes(["clean", "-ffdq", "--", ...paths], call);
}

/** Marks that the worktree, which is clean, is about to be moved to another commit. */
export function announceMove(context: Context, registry: Registry): void {
  replaceFile(context.fs, movePath(registry), "");
}

/** The move is done, or was refused. */
export function closeMove(context: Context, registry: Registry): void {
  removeIfThere(context.fs, movePath(registry));
}

/** Brings a worktree back whose move was cut by a kill: it was clean, so that nobody's work is lost. */
export async function settleMove(context: Context, registry: Registry): Promise<void> {
  if (findText(context.fs, movePath(registry)) === undefined) return;
  const call = { action: `restore the worktree of ${registry.git.repoDir}`, transfer: true };
  await registry.git.bytes(["reset", "--hard", "--quiet"], call);
  await registry.git.bytes(["clean", "-ffdq"], call);
  closeMove(context, registry);
  context.log.warn(`brought ${registry.git.repoDir} back to where a killed run found it`);
}

function movePath(registry: Registry): string {
  return join(registry.gitDir, "model-sync.moving");
}
