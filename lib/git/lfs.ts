import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { RefusedError, UsageError } from "../core/errors.ts";
import { removeIfThere } from "../core/files.ts";
import type { Sha256 } from "../core/hash.ts";
import { formatPointer, type LfsPointer } from "../release/lfs_pointer.ts";
import type { Registry } from "./registry.ts";

/** GitHub refuses larger files outside Git LFS, and warns from half of it (docs.github.com, "About large files"). */
export const LARGE_FILE_BYTES_MAX = 100 * 1024 * 1024;
export const LARGE_FILE_BYTES_WARN = 50 * 1024 * 1024;

/** Whether git-lfs is installed. */
export async function hasLfs(registry: Registry): Promise<boolean> {
  const result = await registry.git.attempt(["lfs", "version"], { action: "look for git-lfs" });
  return result.code === 0;
}

/** The refusal of a job that git-lfs is needed for. */
export function lfsMissing(reason: string): UsageError {
  return new UsageError(`Cannot go on without git-lfs: ${reason}`, {
    code: "LFS_MISSING",
    hint: "install it: apt install git-lfs, brew install git-lfs, or https://git-lfs.com",
  });
}

/** The content of a file in Git LFS, brought by the real git-lfs. Its own copy in the clone is dropped when it is ours. */
export async function* readLfsContent(
  context: Context,
  registry: Registry,
  path: string,
  pointer: LfsPointer,
): AsyncGenerator<Uint8Array> {
  const action = `fetch ${path} from Git LFS`;
  const git = registry.git.with({
    config: [`remote.lfsdefault=${registry.settings.remote}`],
    // Somebody may have set it for clones by hand.
    env: { GIT_LFS_SKIP_SMUDGE: "0" },
  });
  const process = git.start(["lfs", "smudge", "--", path], { action, stdin: formatPointer(pointer) });
  yield* process.stdout;
  const exit = await process.exit;
  if (exit.code !== 0) throw lfsRefusal(path, exit.stderr) ?? git.error(action, exit);
  if (registry.isOwn) removeIfThere(context.fs, lfsObjectPath(registry, pointer.sha256));
}

/** The refusal of content that the registry has not, or has wrong; `undefined` when git-lfs failed at something else. */
function lfsRefusal(path: string, stderr: string): RefusedError | undefined {
  // The first from a server, the second from a registry on this machine.
  const lies = /expected OID (?<wanted>[0-9a-f]{64}), got (?<got>[0-9a-f]{64})/.exec(stderr) ??
    /invalid hash (?<got>[0-9a-f]{64}), expected (?<wanted>[0-9a-f]{64})/.exec(stderr);
  if (lies?.groups !== undefined) {
    const { wanted, got } = lies.groups;
    return new RefusedError(
      `Cannot accept ${path}: Git LFS brought SHA-256 ${got}, its pointer says ${wanted}`,
      {
        code: "DIGEST_MISMATCH",
        hint: "push the file again from the training side; the active release is untouched",
      },
    );
  }
  if (!/missing object|does not exist|\[404\]|not found/i.test(stderr)) return undefined;
  return new RefusedError(
    `Cannot bring ${path}: it is a Git LFS pointer whose content the registry does not have`,
    {
      code: "LFS_POINTER",
      hint: "push it from the training side: git lfs push --all; the active release is untouched",
    },
  );
}

/** Where git-lfs keeps an object in a clone. */
export function lfsObjectPath(registry: Registry, sha256: Sha256): string {
  return join(registry.objectsDir, "..", "lfs", "objects", sha256.slice(0, 2), sha256.slice(2, 4), sha256);
}
