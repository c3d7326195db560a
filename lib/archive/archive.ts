import type { Context } from "../core/context.ts";
import { ArchiveGuard, type ArchiveSource } from "./archive_guard.ts";
import type { ArchiveLimits } from "./archive_limits.ts";
import { type FileRange, fileRange } from "./file_range.ts";
import { findEndOfZip, LOCAL_HEADER, ZIP_END } from "./zip_end.ts";
import { isTarHeader, TAR_BLOCK_BYTES } from "./tar_header.ts";
import { describeOther } from "./other_format.ts";
import { readAt } from "../core/read_at.ts";
import type { TarFormat } from "./tar_reader.ts";
import { isZstd } from "./zstd_magic.ts";

export { writeZip, type ZipInput, type ZipOptions, type ZippedFile } from "./zip_writer.ts";

/** A regular file of an archive. */
export interface ArchiveEntry {
  /** Checked, relative, separated by `/`. */
  readonly path: string;
  /** As the archive says; verified when it is read. */
  readonly bytes: number;
}

/** An entry that is being read. */
export interface ArchiveContent {
  readonly entry: ArchiveEntry;
  /** Further entries that were wanted and are the same file: hard links in a tar. Their content is not read again. */
  readonly links: readonly ArchiveEntry[];
  /** Where the content stands in the archive's file, if it is neither compressed itself nor in a tar that is. */
  readonly place?: FileRange | undefined;
  readonly content: AsyncIterable<Uint8Array>;
}

/** An open archive, whose structure was checked whole before anything of it is handed out. */
export interface Archive extends AsyncDisposable {
  readonly format: "zip" | TarFormat;
  /** Every regular file, in the archive's order. */
  readonly entries: readonly ArchiveEntry[];
  /** The folders that have entries of their own, without a slash at their ends: also those without files. */
  readonly folders: readonly string[];
  /**
   * Contents of the entries that `wants` accepts, in the archive's order; each is to be read to its end, or left early,
   * before the next is asked for, and only one reading may be under way. A piece is valid until the next is asked for.
   * Hard links come with the file that they lead to. CRC and size are checked while it streams: a content that ends
   * without throwing is whole, as far as the format can tell (a tar that is not compressed has no checksum of contents).
   *
   * @throws {RefusedError} code `ARCHIVE_DAMAGED` or `ARCHIVE_UNSAFE`
   */
  read(wants?: (entry: ArchiveEntry) => boolean): AsyncGenerator<ArchiveContent>;
}

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
