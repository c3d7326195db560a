import { createHash } from "node:crypto";

/** A file of a commit. */
export interface Entry {
  readonly size: number;
  /** Git's name of the content, or of its pointer. */
  readonly blob: string;
  /** Stored in git. */
  readonly content?: Uint8Array<ArrayBuffer>;
  /** Stored in LFS. */
  readonly sha256?: string;
}

export interface Commit {
  readonly id: string;
  readonly parent: string | undefined;
  readonly message: string;
  readonly tree: ReadonlyMap<string, Entry>;
}

/** A hub's repository, with its branches. */
export interface Repo {
  isPrivate: boolean;
  /** Whether users must accept terms before they get access. */
  isGated: boolean;
  readonly commits: Map<string, Commit>;
  readonly branches: Map<string, string>;
  readonly pullRequests: string[];
}

/** The first lines of the `.gitattributes` that the hub puts into a new repository. */
const LFS_NAMES = /\.(bin|ckpt|gz|h5|joblib|npy|npz|onnx|pickle|pkl|pt|pth|safetensors|tar|zip)$/;
export const ATTRIBUTES =
  "*.bin filter=lfs diff=lfs merge=lfs -text\n*.joblib filter=lfs diff=lfs merge=lfs -text\n";
const LFS_BYTES_MIN = 10_000_000;

export function find(repo: Repo, revision: string): Commit | undefined {
  return repo.commits.get(repo.branches.get(revision) ?? revision);
}

export function keepsInLfs(path: string, size: number, sample: Uint8Array): boolean {
  return size > 0 && (LFS_NAMES.test(path) || size >= LFS_BYTES_MIN || sample.includes(0));
}

export function regular(content: Uint8Array<ArrayBuffer>): Entry {
  return { size: content.length, blob: blobId(content), content };
}

export function lfsEntry(sha256: string, size: number): Entry {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`;
  return { size, sha256, blob: blobId(new TextEncoder().encode(pointer)) };
}

export function blobId(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** Returns the commits of a revision, newest first. */
export function history(repo: Repo, revision: string): Commit[] {
  const commits: Commit[] = [];
  for (let commit = find(repo, revision); commit !== undefined; commit = find(repo, commit.parent ?? "")) {
    commits.push(commit);
  }
  return commits;
}

/** Returns the folders and files of a commit below a folder, as the hub lists them. */
export function listedFiles({ tree }: Commit, below: string) {
  const folders = new Set<string>();
  const files = [...tree].filter(([path]) => below === "" || path.startsWith(`${below}/`));
  for (const [path] of files) {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      folders.add(path.slice(0, end));
    }
  }
  return [
    ...[...folders].map((path) => ({ type: "directory", oid: "0".repeat(40), size: 0, path })),
    ...files.map(([path, { size, blob, sha256 }]) => ({
      type: "file",
      oid: blob,
      size,
      path,
      ...(sha256 === undefined
        ? {}
        : { lfs: { oid: sha256, size, pointerSize: 130 }, xetHash: "f".repeat(64) }),
    })),
  ];
}
