import { chunkListsProblem } from "../core/chunk_list.ts";
import { concatenate } from "../core/concatenate.ts";
import { type Sha256, sha256OfBytes } from "../core/hash.ts";
import { sortedLines } from "./digest_lines.ts";
import { filesOf } from "./file_list.ts";
import { fileListProblem, type Manifest } from "./manifest.ts";
import { type ListChanges, manifestOfPlain, PlainList } from "./plain_list.ts";
import type { SortedLines } from "./sorted_lines.ts";

/** A manifest that was checked before, of which another one is a change. */
export interface KnownManifest {
  readonly manifest: Manifest;
  /** The lines of its digest; `undefined` if they are not at hand, which costs time. */
  readonly lines: SortedLines | undefined;
}

/** A checked manifest, and how it differs from a known one. */
export interface FollowingManifest {
  readonly manifest: Manifest;
  readonly changes: ListChanges;
  /** The SHA-256 of its text. */
  readonly sha256: Sha256;
  /** The lines of its digest. */
  readonly lines: Uint8Array<ArrayBuffer>;
}

/**
 * As `parseManifest`, for a text that has most lines of a known one: only the others are parsed and checked.
 *
 * @returns `undefined` if the whole text has to be parsed, also to say what is wrong with it
 */
export async function followManifest(
  { bytes, text }: { readonly bytes: Uint8Array<ArrayBuffer>; readonly text: string },
  known: KnownManifest,
): Promise<FollowingManifest | undefined> {
  const before = filesOf(known.manifest);
  const followed = before instanceof PlainList ? before.follow(text) : undefined;
  const manifest = followed && manifestOfPlain(followed.list);
  if (followed === undefined || manifest === undefined) return undefined;
  const { changes, list } = followed;
  const others = [...changes.added, ...changes.modified.map(({ after }) => after)];
  // Some of the known paths are as safe as all of them.
  const hasNewPaths = changes.added.length > 0;
  const problem = (hasNewPaths ? fileListProblem(list.all().map(({ path }) => path)) : undefined) ??
    chunkListsProblem(others);
  if (problem !== undefined) return undefined;
  const dropped = [...changes.removed, ...changes.modified.map(({ before }) => before)];
  const parts = known.lines?.change(dropped, others) ?? [...sortedLines(list.all())];
  const lines = concatenate(parts);
  const [sha256, digest] = await Promise.all([sha256OfBytes(bytes), sha256OfBytes(lines)]);
  return `sha256:${digest}` === manifest.digest ? { manifest, changes, sha256, lines } : undefined;
}
