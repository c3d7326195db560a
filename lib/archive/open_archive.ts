import type { Context } from "../core/context.ts";
import { ArchiveGuard, type ArchiveSource } from "./archive_guard.ts";
import type { ArchiveLimits } from "./archive_limits.ts";
import { type FileRange, fileRange } from "./file_range.ts";
import { findEndOfZip, LOCAL_HEADER, ZIP_END } from "./zip_end.ts";
import { isTarHeader, TAR_BLOCK_BYTES } from "./tar_header.ts";
import { describeOther, isZstd } from "./format_signature.ts";
import { readAt } from "../core/read_at.ts";
import type { Archive, TarFormat } from "./types.ts";

/**
 * Opens a ZIP, tar, tar.gz or tar.zst, known by its content, not by its name. Its whole structure is checked at once: a
 * path that leads out, a link (but for hard links to files of the same tar), a device, two entries of one name, headers
 * that disagree, bytes that belong to nothing, an archive beyond the limits. A compressed tar is decompressed once for
 * that, and again when it is read. Holds the file open until it is disposed of. Needs read permission.
 *
 * @param name for messages
 * @param range which part of the file is the archive; without it, all of the file
 * @throws {RefusedError} code `ARCHIVE_UNSAFE` (an attack, or what looks like one), `ARCHIVE_DAMAGED` (truncated,
 * checksum), `ARCHIVE_LIMIT` or `ARCHIVE_FORMAT` (no archive, or of a format that is not read)
 */
export async function openArchive(
  context: Pick<Context, "fs" | "signal">,
  path: string,
  name: string,
  limits: ArchiveLimits,
  range?: FileRange,
): Promise<Archive> {
  const whole = await context.fs.open(path, { read: true });
  try {
    const bytes = range?.bytes ?? whole.statSync().size;
    const file = range === undefined ? whole : fileRange(whole, range);
    const guard = new ArchiveGuard(name, bytes, limits);
    const head = readAt(file, 0, TAR_BLOCK_BYTES);
    const source: ArchiveSource = { file, bytes, guard, signal: context.signal };
    if (startsWith(head, GZIP)) return await openTar(source, "tar.gz");
    if (isTarHeader(head)) return await openTar(source, "tar");
    if (isZstd(head)) return await openTar(source, "tar.zst");
    // The end is what readers of ZIP look for: something may stand before the first entry, and is then refused.
    const isZip = startsWith(head, LOCAL_HEADER) || startsWith(head, ZIP_END) ||
      findEndOfZip(file, bytes).kind === "found";
    if (isZip) return await openZip(source);
    throw guard.fault("ARCHIVE_FORMAT", describeOther(head));
  } catch (error) {
    whole.close();
    throw error;
  }
}

/** Loaded when needed, as node:zlib, which they use, costs every start 30 ms. */
async function openZip(source: ArchiveSource): Promise<Archive> {
  return (await import("./zip_reader.ts")).openZip(source);
}

async function openTar(source: ArchiveSource, format: TarFormat): Promise<Archive> {
  return await (await import("./tar_reader.ts")).openTar(source, format);
}

const GZIP = [0x1f, 0x8b];

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => head[index] === byte);
}
