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
 * Returns an open ZIP, tar, tar.gz or tar.zst. The content decides the format, not the name. The whole structure is
 * checked first. Refused are paths that leave the archive, links (except hard links to files of the same tar), devices,
 * two entries of one name, contradictory headers, bytes that belong to no entry, and archives beyond the limits. A
 * compressed tar is decompressed for the check, and again for reading. The file stays open until the archive is
 * disposed of. Needs read permission.
 *
 * @param name for messages
 * @param range the part of the file that is the archive. Default: all of it
 * @throws {RefusedError} code `ARCHIVE_UNSAFE` (an attack, or a file that looks like one), `ARCHIVE_DAMAGED`
 * (truncated, checksum), `ARCHIVE_LIMIT` or `ARCHIVE_FORMAT` (not an archive, or of an unsupported format)
 */
export async function openArchive(
  context: Pick<Context, "fs" | "signal">,
  path: string,
  name: string,
  limits: ArchiveLimits,
  range?: FileRange,
): Promise<Archive> {
  const whole = await context.fs.open(path, { read: true });
  const bytes = range?.bytes ?? whole.statSync().size;
  const file = range === undefined ? whole : fileRange(whole, range);
  const guard = new ArchiveGuard(name, bytes, limits);
  return await openArchiveFile({ file, bytes, guard, signal: context.signal });
}

/** As {@link openArchive}, of an open file. It is closed with the archive, and if it cannot be opened. */
export async function openArchiveFile(source: ArchiveSource): Promise<Archive> {
  const { file, bytes, guard } = source;
  try {
    const head = readAt(file, 0, TAR_BLOCK_BYTES);
    if (startsWith(head, GZIP)) return await openTar(source, "tar.gz");
    if (isTarHeader(head)) return await openTar(source, "tar");
    if (isZstd(head)) return await openTar(source, "tar.zst");
    // Readers of ZIP search its end record. Bytes before the first entry do not hide it; they are refused later.
    const isZip = startsWith(head, LOCAL_HEADER) || startsWith(head, ZIP_END) ||
      findEndOfZip(file, bytes).kind === "found";
    if (isZip) return await openZip(source);
    throw guard.fault("ARCHIVE_FORMAT", describeOther(head));
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The readers are loaded on demand, because node:zlib would cost every start 30 ms. */
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
