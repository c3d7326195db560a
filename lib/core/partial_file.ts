import { createHash } from "node:crypto";
import { z } from "zod";
import { type FileSystem, findFile, findText, ifFound, removeIfThere, writeAllSync } from "./files.ts";
import { CHUNK_BYTES, type Sha256 } from "./hash.ts";
import type { Span } from "./spans.ts";

const Description = z.object({ schema: z.literal(1), spans: z.array(z.tuple([z.number(), z.number()])) });

/** Beside a partial file, because a file that was made at its full length does not show what of it has arrived. */
function descriptionPath(path: string): string {
  return `${path}.parts`;
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

/** Describes what of a partial file has arrived. */
export function describePartial(fs: FileSystem, path: string, spans: readonly Span[]): void {
  const description: z.infer<typeof Description> = {
    schema: 1,
    spans: spans.map(({ start, end }) => [start, end]),
  };
  using file = fs.openSync(descriptionPath(path), { write: true, create: true, truncate: true });
  writeAllSync(file, new TextEncoder().encode(JSON.stringify(description)));
}

/** Forgets the description: the file is whole, or is not continued. */
export function forgetPartial(fs: FileSystem, path: string): void {
  removeIfThere(fs, descriptionPath(path));
}

/** Removes a partial file and its description, or whatever stands in their places. */
export function removePartial(fs: FileSystem, path: string): void {
  for (const one of [path, descriptionPath(path)]) ifFound(() => fs.removeSync(one, { recursive: true }));
}

/** Those whole chunks within `spans` whose bytes have the digest that they should have. Reads them. */
export async function provenChunks(
  fs: FileSystem,
  path: string,
  spans: readonly Span[],
  chunks: readonly Sha256[],
  signal: AbortSignal,
): Promise<Span[]> {
  using file = await fs.open(path, { read: true });
  const size = (await file.stat()).size;
  const buffer = new Uint8Array(CHUNK_BYTES);
  const proven: Span[] = [];
  for (const [index, expected] of chunks.entries()) {
    signal.throwIfAborted();
    const start = index * CHUNK_BYTES;
    const end = Math.min(size, start + CHUNK_BYTES);
    if (start >= end || !spans.some((span) => span.start <= start && end <= span.end)) continue;
    const piece = buffer.subarray(0, end - start);
    await file.seek(start, Deno.SeekMode.Start);
    await readFull(file, piece);
    if (createHash("sha256").update(piece).digest("hex") === expected) proven.push({ start, end });
  }
  return proven;
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
