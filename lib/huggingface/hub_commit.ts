import type { CommitOperation } from "@huggingface/hub";
import * as z from "zod";
import type { Context } from "../core/context.ts";
import { FailedError, UnreachableError } from "../core/errors.ts";
import { sha256Hex } from "../core/hash.ts";
import { totalBytes } from "../release/manifest.ts";
import { type BlobFile, HashedFileBlob } from "./hashed_file_blob.ts";
import type { CommitId, Hub } from "./hub.ts";
import { SharedProgress } from "./shared_progress.ts";
import { UPLOAD_PATIENCE, uploadHttp, type UploadPatience } from "./upload_http.ts";

/** A commit to create. */
export interface WantedCommit {
  /** The commit that the branch must still point to. */
  readonly parent: CommitId;
  readonly message: string;
  readonly files: readonly BlobFile[];
  /** Small texts to add, by path. */
  readonly texts: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
  /** Opens a pull request instead of committing to the branch. */
  readonly asPullRequest: boolean;
  /**
   * Sends only the changed chunks of large files, of about 64 KiB. Of a file of 64 MiB with 4 MiB changed in one place,
   * as after the training of its last layers, that is 6 %; of a model that was trained from scratch, it is everything.
   */
  readonly useXet: boolean;
}

export interface MadeCommit {
  readonly commit: CommitId;
  readonly pullRequestUrl: string | undefined;
}

/**
 * Creates one commit on the hub and uploads its large files first. `@huggingface/hub` implements the protocol, for LFS
 * and Xet. It is loaded here, because no other command needs it.
 *
 * @throws {BranchMoved}; {@link RefusedError} code `FILE_CHANGED`; {@link AuthenticationError}; {@link UnreachableError}
 */
export async function commitToHub(
  context: Context,
  hub: Hub,
  wanted: WantedCommit,
  patience: UploadPatience = UPLOAD_PATIENCE,
): Promise<MadeCommit> {
  const { commitIter, HubApiError, InvalidApiResponseFormatError } = await import("@huggingface/hub");
  const { endpoint, repoId, revision } = hub.settings;
  const texts = Object.entries(wanted.texts).map(([path, text]) => ({ path, blob: new Blob([text]) }));
  using progress = new SharedProgress(context, "uploading", totalBytes(wanted.files));
  const http = uploadHttp(context, {
    hub,
    sizes: new Map([
      ...wanted.files.map((file) => [file.path, file.size] as const),
      ...texts.map(({ path, blob }) => [path, blob.size] as const),
    ]),
    contents: new Set([
      ...wanted.files.map((file) => file.sha256),
      ...await Promise.all(Object.values(wanted.texts).map((text) => sha256Hex(text))),
    ]),
    progress,
    patience,
  });
  const operations: CommitOperation[] = [
    ...wanted.files.map((file) => added(file.path, new HashedFileBlob(context.fs, file))),
    ...texts.map(({ path, blob }) => added(path, blob)),
    ...wanted.removed.map((path) => ({ operation: "delete" as const, path })),
  ];
  try {
    const events = commitIter({
      repo: { type: "model", name: repoId },
      hubUrl: endpoint,
      branch: revision,
      title: wanted.message,
      parentCommit: wanted.parent,
      isPullRequest: wanted.asPullRequest,
      useXet: wanted.useXet,
      abortSignal: context.signal,
      operations,
      fetch: http,
    });
    for (;;) {
      const event = await events.next();
      if (!event.done) continue;
      if (event.value === undefined) break;
      return { commit: event.value.commit.oid, pullRequestUrl: event.value.pullRequestUrl };
    }
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof HubApiError) {
      throw new FailedError(
        `Cannot upload to ${repoId}: ${hub.host} refuses a file: ${error.message}`,
        {
          code: "UPLOAD_REFUSED",
          cause: error,
          hint: `check ${endpoint}/${repoId} and its owner's storage quota`,
        },
      );
    }
    const isUnreadable = error instanceof InvalidApiResponseFormatError || error instanceof SyntaxError ||
      error instanceof z.ZodError;
    throw isUnreadable ? noAnswer(hub, error) : error;
  }
  throw noAnswer(hub);
}

function noAnswer(hub: Hub, cause?: unknown): UnreachableError {
  return new UnreachableError(
    `Cannot upload to ${hub.settings.repoId}: ${hub.host} did not answer as a hub does`,
    {
      code: "ANSWER_INVALID",
      cause,
      hint: "check HF_ENDPOINT and run again: files that arrived are not sent again",
    },
  );
}

function added(path: string, content: Blob) {
  return { operation: "addOrUpdate" as const, path, content };
}
