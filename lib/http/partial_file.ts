import { createHash } from "node:crypto";
import { z } from "zod";
import { type FileSystem, findFile, findText, ifFound, removeIfThere, writeAllSync } from "../core/files.ts";
import { CHUNK_BYTES, type Sha256 } from "../core/hash.ts";
import type { Span } from "./spans.ts";

const Description = z.object({ schema: z.literal(1), spans: z.array(z.tuple([z.number(), z.number()])) });

/** Beside a partial file, because a file that was made at its full length does not show what of it has arrived. */
function descriptionPath(path: string): string {
  return `${path}.parts`;
}

function temporaryPath(path: string): string {
  return `${descriptionPath(path)}.new`;
}

/**
 * Which parts of a file a broken download brought; none when there is no such file. They are claims: a kill or a power
 * cut may have lost bytes behind them.
 */
export function readPartial(fs: FileSystem, path: string): Span[] {
  try {
    const size = findFile(fs, path)?.size;
    const text = findText(fs, descriptionPath(path));
    if (size === undefined || text === undefined) return [];
    const { spans } = Description.parse(JSON.parse(text));
    return spans.map(([start, end]) => ({ start, end: Math.min(end, size) }))
      .filter(({ start, end }) => start >= 0 && start < end);
  } catch {
    // Torn by a crash, or no file: then the download starts over.
    return [];
  }
}

/**
 * Describes what of a partial file has arrived. A kill leaves the description before or this one, never a part. It is
 * not synced: that would wait for the downloaded bytes as well, and after a power cut the download may start over.
 */
export function describePartial(fs: FileSystem, path: string, spans: readonly Span[]): void {
  const description: z.infer<typeof Description> = {
    schema: 1,
    spans: spans.map(({ start, end }) => [start, end]),
  };
  const temporary = temporaryPath(path);
  {
    using file = fs.openSync(temporary, { write: true, create: true, truncate: true });
    writeAllSync(file, new TextEncoder().encode(JSON.stringify(description)));
  }
  fs.renameSync(temporary, descriptionPath(path));
}

/** Forgets the description: the file is whole, or is not continued. */
export function forgetPartial(fs: FileSystem, path: string): void {
  for (const one of [descriptionPath(path), temporaryPath(path)]) removeIfThere(fs, one);
}

/** Removes a partial file and its description, or whatever stands in their places. */
export function removePartial(fs: FileSystem, path: string): void {
  for (const one of [path, descriptionPath(path), temporaryPath(path)]) {
    ifFound(() => fs.removeSync(one, { recursive: true }));
  }
}

/**
 * Returns what of `spans` a download may keep: whole chunks that have their digest, and what arrived of chunks that are
 * not whole yet, which the digest of the whole file proves later. Reads the whole chunks.
 *
 * @param bytes the size of the whole file
 */
export async function credibleSpans(
  fs: FileSystem,
  path: string,
  spans: readonly Span[],
  { bytes, chunks }: { readonly bytes: number; readonly chunks: readonly Sha256[] },
  signal: AbortSignal,
): Promise<Span[]> {
  using file = await fs.open(path, { read: true });
  const buffer = new Uint8Array(CHUNK_BYTES);
  const credible: Span[] = [];
  for (const [index, expected] of chunks.entries()) {
    signal.throwIfAborted();
    const start = index * CHUNK_BYTES;
    const end = Math.min(bytes, start + CHUNK_BYTES);
    const isWhole = spans.some((span) => span.start <= start && end <= span.end);
    if (!isWhole) {
      credible.push(...overlaps(spans, { start, end }));
      continue;
    }
    const piece = buffer.subarray(0, end - start);
    await file.seek(start, Deno.SeekMode.Start);
    await readFull(file, piece);
    if (createHash("sha256").update(piece).digest("hex") === expected) credible.push({ start, end });
  }
  return credible;
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
      throw new Deno.errors.UnexpectedEof("a partial file became shorter while it was read");
    }
    filled += count;
  }
}
