import { createHash } from "node:crypto";
import * as z from "zod";
import { type FileSystem, findEntry, findText, ifFound, removeIfThere } from "../core/files.ts";
import { CHUNK_BYTES_MAX, chunkKey, type Chunks } from "../core/chunk_list.ts";
import { replaceUnsynced } from "../core/replace_file.ts";
import { type Span, SpanSet } from "./spans.ts";

const Description = z.object({ schema: z.literal(1), spans: z.array(z.tuple([z.number(), z.number()])) });

/**
 * A file beside the partial file. The partial file may already have its full length, so its size does not show the
 * received part.
 */
function descriptionPath(path: string): string {
  return `${path}.parts`;
}

function temporaryPath(path: string): string {
  return `${descriptionPath(path)}.new`;
}

/**
 * Returns the received spans of an interrupted download; none if there is no description. They are not proven: a kill
 * or a power cut may have lost their bytes.
 */
export function readPartial(fs: FileSystem, path: string): Span[] {
  try {
    const file = findEntry(fs, path);
    const text = findText(fs, descriptionPath(path));
    // A link would redirect the rest of the download.
    if (file?.isFile !== true || text === undefined) return [];
    const { size } = file;
    const { spans } = Description.parse(JSON.parse(text));
    return spans.map(([start, end]) => ({ start, end: Math.min(end, size) }))
      .filter(({ start, end }) => start >= 0 && start < end);
  } catch {
    // Damaged by a crash, or missing: the download starts from zero.
    return [];
  }
}

/**
 * Writes the received spans of a partial file, atomically. They are not synced to the disk: that would also wait for
 * the downloaded bytes, and after a power cut the download may start from zero.
 */
export function describePartial(fs: FileSystem, path: string, spans: readonly Span[]): void {
  const description: z.infer<typeof Description> = {
    schema: 1,
    spans: spans.map(({ start, end }) => [start, end]),
  };
  replaceUnsynced(fs, descriptionPath(path), [new TextEncoder().encode(JSON.stringify(description))]);
}

/** Removes the description of a file that is complete, or will not be continued. */
export function forgetPartial(fs: FileSystem, path: string): void {
  for (const one of [descriptionPath(path), temporaryPath(path)]) removeIfThere(fs, one);
}

/** Removes a partial file and its description, or whatever is at their paths. */
export function removePartial(fs: FileSystem, path: string): void {
  for (const one of [path, descriptionPath(path), temporaryPath(path)]) {
    ifFound(() => fs.removeSync(one, { recursive: true }));
  }
}

/**
 * Returns the part of `spans` that a download may keep: complete chunks with the right digest, and the received bytes
 * of incomplete chunks, which the digest of the file proves later. Reads the complete chunks.
 */
export async function credibleSpans(
  fs: FileSystem,
  path: string,
  spans: readonly Span[],
  chunks: Chunks,
  signal: AbortSignal,
): Promise<Span[]> {
  using file = await fs.open(path, { read: true });
  const buffer = new Uint8Array(CHUNK_BYTES_MAX);
  const credible = new SpanSet();
  for (let index = 0; index < chunks.count; index++) {
    signal.throwIfAborted();
    const [start, end] = [chunks.start(index), chunks.end(index)];
    const isWhole = spans.some((span) => span.start <= start && end <= span.end);
    if (!isWhole) {
      for (const span of overlaps(spans, { start, end })) credible.add(span);
      continue;
    }
    const piece = buffer.subarray(0, end - start);
    await file.seek(start, Deno.SeekMode.Start);
    await readFull(file, piece);
    const digest = createHash("sha256").update(piece).digest("binary");
    if (chunkKey(digest) === chunks.key(index)) credible.add({ start, end });
  }
  return [...credible.spans];
}

function overlaps(spans: readonly Span[], within: Span): Span[] {
  return spans
    .map(({ start, end }) => ({ start: Math.max(start, within.start), end: Math.min(end, within.end) }))
    .filter(({ start, end }) => start < end);
}

async function readFull(file: Deno.FsFile, buffer: Uint8Array): Promise<void> {
  let filled = 0;
  while (filled < buffer.length) {
    const count = await file.read(buffer.subarray(filled));
    if (count === null) {
      throw new Deno.errors.UnexpectedEof("a partial file became shorter during the read");
    }
    filled += count;
  }
}
