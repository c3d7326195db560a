import type { Sha256 } from "../core/hash.ts";
import { type Manifest, MANIFEST_NAME } from "../release/manifest.ts";
import type { CommitId, Hub, HubCommit, HubFile } from "./hub.ts";
import { type RepoLayout, repoPath } from "./repo_layout.ts";

/** A change of files after the commit that the manifest describes. */
export interface HubChange {
  /** The newest commit that changed the files. */
  readonly revision: CommitId;
  readonly author: string;
  readonly subject: string;
  /** The commit that the manifest describes. */
  readonly described: CommitId;
  /** The files that did not change since that commit. */
  readonly kept: readonly string[];
}

/** A commit with its files, as the hub lists them. */
interface Listed {
  readonly commit: CommitId;
  readonly files: readonly HubFile[];
}

/** How many commits are checked: three weeks of daily uploads. Each costs a request for its files. */
const COMMITS_LOOKED_AT = 20;

/**
 * Returns the change of another writer: the newest commit, after an older one with the same manifest whose files match
 * it. The writer then changed files without changing the manifest.
 *
 * @param findContent returns the SHA-256 of a git blob, if it is known
 * @returns `undefined` if the manifest has changed since the last matching commit, or that commit is too old
 */
export async function findHubWriter(
  hub: Hub,
  newest: Listed,
  manifest: Manifest,
  layout: RepoLayout,
  findContent: (blob: string) => Sha256 | undefined,
): Promise<HubChange | undefined> {
  const [first, ...older] = await hub.listCommits(COMMITS_LOOKED_AT, newest.commit);
  if (first === undefined) return undefined;
  const paths = manifest.files.map((file) => repoPath(layout, file.path));
  let changing: HubCommit | undefined;
  let newer: { readonly commit: HubCommit; readonly files: ReadonlyMap<string, HubFile> } = {
    commit: first,
    files: byPath(newest.files),
  };
  for (const commit of older) {
    const files = byPath(await hub.listFiles(commit.id));
    if (files.get(MANIFEST_NAME)?.blob !== newer.files.get(MANIFEST_NAME)?.blob) return undefined;
    if (paths.some((path) => files.get(path)?.blob !== newer.files.get(path)?.blob)) {
      changing ??= newer.commit;
    }
    if (changing !== undefined && describes(manifest, layout, files, findContent)) {
      const present = byPath(newest.files);
      const kept = manifest.files.map(({ path }) => path).filter((path) => {
        const name = repoPath(layout, path);
        return present.get(name)?.blob === files.get(name)?.blob;
      });
      const { id: revision, author, title: subject } = changing;
      return { revision, author, subject, described: commit.id, kept };
    }
    newer = { commit, files };
  }
  return undefined;
}

function byPath(files: readonly HubFile[]): ReadonlyMap<string, HubFile> {
  return new Map(files.map((file) => [file.path, file]));
}

/**
 * Returns whether a commit's files match a manifest. Files in git have a known digest only if they were staged before;
 * otherwise their size has to match.
 */
function describes(
  manifest: Manifest,
  layout: RepoLayout,
  files: ReadonlyMap<string, HubFile>,
  findContent: (blob: string) => Sha256 | undefined,
): boolean {
  return manifest.files.every((claimed) => {
    const file = files.get(repoPath(layout, claimed.path));
    if (file === undefined || file.size !== claimed.size) return false;
    const content = file.sha256 ?? findContent(file.blob);
    return content === undefined || content === claimed.sha256;
  });
}
