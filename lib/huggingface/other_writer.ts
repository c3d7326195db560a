import type { Sha256 } from "../core/hash.ts";
import { type Manifest, MANIFEST_NAME } from "../release/manifest.ts";
import type { CommitId, Hub, HubCommit, HubFile } from "./hub.ts";
import { type RepoLayout, repoPath } from "./repo_layout.ts";

/** A change of files that a manifest describes as they were before. */
export interface HubChange {
  /** The newest commit that changed them, with what it says of itself. */
  readonly revision: CommitId;
  readonly author: string;
  readonly subject: string;
  /** The commit that the manifest describes. */
  readonly described: CommitId;
  /** Files that are still as that commit has them. */
  readonly kept: readonly string[];
}

/** A commit and what the hub lists of it. */
interface Listed {
  readonly commit: CommitId;
  readonly files: readonly HubFile[];
}

/** Each takes a list of the commit's files: three weeks of daily uploads. */
const COMMITS_LOOKED_AT = 20;

/**
 * Looks back for a commit with the same manifest whose files are what it lists: then others changed them since, by
 * commits that left the manifest alone.
 *
 * @param findContent tells the SHA-256 of what git names so, where it is known
 * @returns `undefined` where the manifest was changed after the last such commit, or none is within reach
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

/** Whether a manifest lists what a commit has. Of content that git names, the size is known, and else what was staged once. */
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
