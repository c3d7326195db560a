import { dirname, join } from "node:path";
import type { Context } from "../../core/context.ts";
import { findEntry, removeTree } from "../../core/files.ts";
import { replaceFile } from "../../core/replace_file.ts";
import { TemporaryFolder } from "../../core/folders.ts";
import { BLOBLESS, bloblessFetch } from "../../git/git_options.ts";
import type { Git } from "../../git/git.ts";
import type { ObjectId } from "../../git/object_id.ts";
import { fullName, type RepositoryAddress } from "./repository_address.ts";

const PURPOSE = "references";
const PREFIX = `model-sync-${PURPOSE}-`;

/** A sync lasts minutes. A folder that is a day old is left over from a killed one. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/**
 * Creates a folder for a clone, below `parent` or in the system's temporary folder. It is deleted with the resources.
 * Folders of killed runs are deleted now.
 */
export async function temporaryFolder(
  { fs, clock }: Context,
  parent: string | undefined,
  resources: AsyncDisposableStack,
): Promise<string> {
  if (parent !== undefined) fs.mkdirSync(parent, { recursive: true });
  const folder = resources.use(new TemporaryFolder(fs, PURPOSE, parent)).path;
  const beside = dirname(folder);
  for (const { name } of [...fs.readDirSync(beside)].filter(({ name }) => name.startsWith(PREFIX))) {
    const madeMs = findEntry(fs, join(beside, name))?.mtime?.getTime() ?? Infinity;
    // Folders of other users cannot be deleted.
    if (clock.now().getTime() - madeMs > ABANDONED_AFTER_MS) {
      await removeTree(fs, join(beside, name)).catch(() => {});
    }
  }
  return folder;
}

/** Clones the newest commit of the branch, without its files. Returns the commit. */
export async function cloneShallow(
  { fs }: Context,
  git: Git,
  url: string,
  address: RepositoryAddress,
): Promise<ObjectId> {
  const call = { action: `clone ${fullName(address)}` };
  const ref = `refs/remotes/origin/${address.branch}`;
  await git.bytes(["init", "--quiet", `--initial-branch=${address.branch}`], call);
  const config = join(git.repoDir, ".git", "config");
  replaceFile(fs, config, fs.readTextFileSync(config) + remoteConfig(url));
  await git.with(bloblessFetch("origin")).bytes([
    "fetch",
    "--no-tags",
    "--no-write-fetch-head",
    "--quiet",
    "--depth=1",
    BLOBLESS,
    "origin",
    `+refs/heads/${address.branch}:${ref}`,
  ], { ...call, transfer: true });
  return await git.text(["rev-parse", ref], call);
}

/**
 * The clone is not marked as a partial one: git would fetch every missing object by itself. The address contains no
 * quotes, because a URL parser has formatted it.
 */
function remoteConfig(url: string): string {
  return `[remote "origin"]\n\turl = "${url}"\n`;
}
