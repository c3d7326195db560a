import { Buffer } from "node:buffer";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { type Sha256, sha256Hex } from "../core/hash.ts";
import { totalBytes } from "../release/manifest.ts";
import { type CommitLine, deletedLine, fileLine, lfsLine } from "./commit_lines.ts";
import { type BlobFile, HashedFileBlob } from "./hashed_file_blob.ts";
import { CommitId, type Hub } from "./hub.ts";
import { type UploadContent, uploadToLfs } from "./lfs_upload.ts";
import { SharedProgress } from "./shared_progress.ts";
import { UPLOAD_PATIENCE, type UploadPatience, type UploadSender, uploadSender } from "./upload_http.ts";

/** A commit to create. */
export interface WantedCommit {
  /** The commit that the branch must still point to. */
  readonly parent: CommitId;
  readonly message: string;
  readonly files: readonly BlobFile[];
  /** Texts to add, by path. */
  readonly texts: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
  /** The contents that the branch has in LFS, under any name. They are not sent. */
  readonly held: ReadonlySet<Sha256>;
  /** Opens a pull request instead of committing to the branch. */
  readonly asPullRequest: boolean;
  /** Called with the bytes of each file whose content was sent. */
  readonly onSent?: (bytes: number) => void;
}

export interface MadeCommit {
  readonly commit: CommitId;
  readonly pullRequestUrl: string | undefined;
}

/** The hub's limit for one request. */
const FILES_ASKED_MAX = 100;

/** The hub decides by a file's beginning whether it is text. */
const SAMPLE_BYTES = 512;

/**
 * Files that the hub keeps in git are sent base64-encoded in the body of the commit, which is in memory three times.
 * Files beyond this size, or beyond the total, go to LFS instead.
 */
const INLINE_FILE_BYTES_MAX = 1024 * 1024;
const INLINE_TOTAL_BYTES_MAX = 8 * 1024 * 1024;

const UploadModes = z.object({
  files: z.array(z.object({ path: z.string(), uploadMode: z.enum(["lfs", "regular"]) })),
});
const Committed = z.object({ commitOid: CommitId, pullRequestUrl: z.string().optional() });

/**
 * Creates one commit on the hub and sends its large files first, by the hub's protocol (preupload, Git LFS, commit). Each
 * file is read once, while it is sent, and only if the hub lacks its content.
 *
 * @throws {BranchMoved}; {@link FailedError} codes `MODELS_CHANGING`, `UPLOAD_REFUSED`,
 * `STORAGE_REFUSED`; {@link AuthenticationError}; {@link UnreachableError}
 */
export async function commitToHub(
  context: Context,
  hub: Hub,
  wanted: WantedCommit,
  patience: UploadPatience = UPLOAD_PATIENCE,
): Promise<MadeCommit> {
  const { files, texts, removed, held, asPullRequest, onSent = () => {} } = wanted;
  using progress = new SharedProgress(context, "uploading", totalBytes(files));
  const sender = uploadSender(context, hub, progress, patience);
  const contents = [
    // First, because a manifest in git is read with one request less.
    ...await Promise.all(Object.entries(texts).map(contentOf)),
    ...files.map((file) => ({ ...file, blob: new HashedFileBlob(context.fs, file) })),
  ];
  const inline = await chooseInline(context, hub, sender, wanted, contents);
  const large = contents.filter((content) => !inline.has(content) && !held.has(content.sha256));
  const branch = asPullRequest ? undefined : hub.settings.revision;
  const sent = ({ blob }: UploadContent) => {
    if (blob instanceof HashedFileBlob) onSent(blob.size);
  };
  await uploadToLfs(context, { hub, sender, branch }, large, sent);
  const lines = [
    ...await Promise.all(contents.map(async (content) => {
      const { path, sha256, blob } = content;
      if (!inline.has(content)) return lfsLine(path, sha256, blob.size);
      sent(content);
      return fileLine(path, new Uint8Array(await blob.arrayBuffer()));
    })),
    ...removed.map(deletedLine),
  ];
  const { commitOid: commit, pullRequestUrl } = await commitLines(context, hub, sender, wanted, lines);
  return { commit, pullRequestUrl };
}

async function contentOf([path, text]: [string, string]): Promise<UploadContent> {
  return { path, sha256: await sha256Hex(text), blob: new Blob([text]) };
}

/** Returns the contents that the commit itself contains. The hub chooses, by their names, sizes and beginnings. */
async function chooseInline(
  { signal }: Context,
  hub: Hub,
  sender: UploadSender,
  { held, asPullRequest }: WantedCommit,
  contents: readonly UploadContent[],
): Promise<Set<UploadContent>> {
  const unknown = contents.filter(({ sha256, blob }) => blob.size > 0 && !held.has(sha256));
  // LFS has no empty files.
  const inline = new Set(contents.filter(({ blob }) => blob.size === 0));
  let inlineBytes = 0;
  for (let start = 0; start < unknown.length; start += FILES_ASKED_MAX) {
    const asked = unknown.slice(start, start + FILES_ASKED_MAX);
    const answer = await sender.ask({
      url: branchUrl(hub, "preupload", asPullRequest),
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ files: await Promise.all(asked.map(sampleOf)) }),
      signal,
    }, UploadModes);
    const modes = new Map(answer.files.map(({ path, uploadMode }) => [path, uploadMode]));
    for (const content of asked) {
      const { size } = content.blob;
      const fits = size <= INLINE_FILE_BYTES_MAX && inlineBytes + size <= INLINE_TOTAL_BYTES_MAX;
      if (modes.get(content.path) !== "regular" || !fits) continue;
      inlineBytes += size;
      inline.add(content);
    }
  }
  return inline;
}

async function sampleOf({ path, blob }: UploadContent) {
  const sample = await blob.slice(0, SAMPLE_BYTES).arrayBuffer();
  return { path, size: blob.size, sample: Buffer.from(sample).toString("base64") };
}

/**
 * Creates the commit. The request is repeated also if its answer was lost: the commit names its parent, so a second one
 * would be refused.
 */
async function commitLines(
  { signal }: Context,
  hub: Hub,
  sender: UploadSender,
  { message, parent, asPullRequest }: WantedCommit,
  lines: readonly CommitLine[],
): Promise<z.infer<typeof Committed>> {
  const header: CommitLine = { key: "header", value: { summary: message, parentCommit: parent } };
  return await sender.ask({
    url: branchUrl(hub, "commit", asPullRequest),
    method: "POST",
    headers: { "content-type": "application/x-ndjson" },
    body: [header, ...lines].map((line) => JSON.stringify(line)).join("\n"),
    signal,
  }, Committed);
}

function branchUrl(hub: Hub, verb: string, asPullRequest: boolean): string {
  const url = hub.apiUrl(`${verb}/${encodeURIComponent(hub.settings.revision)}`);
  return asPullRequest ? `${url}?create_pr=1` : url;
}
