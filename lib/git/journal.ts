import { join } from "node:path";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { findEntry, removeTree, syncFolder } from "../core/files.ts";
import { removeState } from "../core/set_aside.ts";
import { StateFile } from "../core/state_file.ts";
import type { Git } from "./git.ts";
import type { Registry } from "./registry.ts";
import { syncWorktree } from "./sync_clone.ts";
import type { WorktreeStatus } from "./worktree_status.ts";

/**
 * What a run is changing in a clean worktree. If the run is killed, the next one can undo the change: no file there is
 * a person's work.
 */
const Journal = z.lazy(() =>
  z.union([
    /** Another commit is being checked out. */
    z.strictObject({ phase: z.literal("moving") }),
    /** A publish is writing files. Earlier versions recorded no phase. */
    z.strictObject({
      phase: z.literal("writing").default("writing"),
      /** The commit that was checked out before; `null` on a branch without commits. */
      head: z.string().nullable(),
      /** The paths that are written, relative to the repository. */
      paths: z.array(z.string()),
    }),
  ])
);
type Journal = z.infer<typeof Journal>;

/** Earlier versions marked a checkout with an empty file. */
const OLD_MOVE_MARK = "model-sync.moving";

/** A temporary folder inside the clone's git folder: on the worktree's file system, and ignored by git. */
export function scratchOf(registry: Registry): string {
  return join(registry.gitDir, "model-sync.part");
}

function journalFile({ fs }: Pick<Context, "fs">, registry: Registry): StateFile<Journal> {
  return new StateFile<Journal>(fs, join(registry.gitDir, "model-sync.journal"), Journal);
}

/** Records durably what is about to change in a clean worktree. */
export function openJournal(context: Context, registry: Registry, journal: Journal): void {
  journalFile(context, registry).replace(journal);
}

/** Removes the record: the change is complete or undone, and on the disk. */
export function closeJournal(context: Context, registry: Registry): void {
  journalFile(context, registry).remove();
  removeState(context.fs, join(registry.gitDir, OLD_MOVE_MARK));
  // If a power cut restored the journal, the next run would undo later changes of the worktree.
  syncFolder(context.fs, registry.gitDir);
}

/**
 * Checks out another commit. If that is interrupted, it is undone, at once or by the next run. A worktree with
 * uncommitted work is not restored.
 */
export async function moveWorktree(
  context: Context,
  registry: Registry,
  { dirty }: Pick<WorktreeStatus, "dirty">,
  move: () => Promise<unknown>,
): Promise<void> {
  if (dirty.length > 0) return void await move();
  openJournal(context, registry, { phase: "moving" });
  try {
    await move();
    await syncWorktree(context, registry);
  } catch (error) {
    await takeBack(context, registry);
    throw error;
  }
  closeJournal(context, registry);
}

/**
 * Undoes a killed run's changes of the worktree. Called before anything else reads the worktree.
 *
 * @throws {UsageError} code `JOURNAL_DAMAGED` in a clone of the user's
 */
export async function settleJournal(context: Context, registry: Registry): Promise<void> {
  if (await undo(context, registry, registry.git)) {
    context.log.warn(`undid the changes of a killed run in ${registry.git.repoDir}`);
  }
}

/** Undoes this run's changes after a failure or an interruption. If that fails, too, the next run does it. */
export async function takeBack(context: Context, registry: Registry): Promise<void> {
  try {
    await undo(context, registry, registry.git.uninterrupted());
  } catch (error) {
    context.log.warn(
      `cannot clean up ${registry.git.repoDir} now: ${
        error instanceof Error ? error.message : String(error)
      }`,
    );
  }
}

/** @returns whether there was a change to undo */
async function undo(context: Context, registry: Registry, git: Git): Promise<boolean> {
  // On a full disk, this frees the space that the rest needs.
  await removeTree(context.fs, scratchOf(registry));
  const journal = readJournal(context, registry);
  if (journal === undefined) return false;
  const isUndone = canBeUndone(registry, journal) &&
    (journal.phase === "moving"
      ? await restoreAll(git)
      : await restoreWritten(context, registry, git, journal));
  if (isUndone) await syncWorktree(context, registry);
  closeJournal(context, registry);
  return isUndone;
}

/**
 * Without an index nothing is checked out. Before the first commit, though, and while a clone of our own shows files to
 * a hook, there may be files without an index.
 */
function canBeUndone(registry: Registry, journal: Journal): boolean {
  return registry.hasWorktree || (journal.phase === "writing" && (journal.head === null || registry.isOwn));
}

function readJournal(context: Context, registry: Registry): Journal | undefined {
  if (findEntry(context.fs, join(registry.gitDir, OLD_MOVE_MARK)) !== undefined) return { phase: "moving" };
  const file = journalFile(context, registry);
  const read = file.read();
  if (read.kind === "none") return undefined;
  if (read.kind === "found") return read.value;
  if (registry.isOwn) {
    context.log.warn(`${file.path} is damaged (${read.reason}): restoring the whole worktree to its commit`);
    return { phase: "moving" };
  }
  throw new UsageError(
    `Cannot undo the changes of a killed run in ${registry.git.repoDir}: ${file.path} is damaged, ${read.reason}`,
    {
      code: "JOURNAL_DAMAGED",
      hint:
        `undo the changes that are not yours (git -C ${registry.git.repoDir} status), then remove ${file.path}`,
    },
  );
}

async function restoreAll(git: Git): Promise<boolean> {
  const call = { action: `restore the worktree of ${git.repoDir}`, transfer: true };
  await git.bytes(["reset", "--hard", "--quiet"], call);
  await git.bytes(["clean", "-ffdq"], call);
  return true;
}

async function restoreWritten(
  context: Pick<Context, "fs">,
  registry: Registry,
  git: Git,
  { head, paths }: Journal & { readonly phase: "writing" },
): Promise<boolean> {
  const result = await git.attempt(["rev-parse", "--verify", "--quiet", "HEAD"], {
    action: "look for the commit",
  });
  const present = result.code === 0 ? new TextDecoder().decode(result.stdout).trim() : undefined;
  if (present !== (head ?? undefined)) return false;
  const { restorePaths } = await import("./worktree.ts");
  await restorePaths(context, registry, git, present, paths);
  return true;
}
