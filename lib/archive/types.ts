import type { FileRange } from "./file_range.ts";

/** The compression of a tar. */
export type TarFormat = "tar" | "tar.gz" | "tar.zst";

/** A regular file of an archive. */
export interface ArchiveEntry {
  /** Checked, relative, separated by `/`. */
  readonly path: string;
  /** The size that the archive states. Reading verifies it. */
  readonly bytes: number;
  /** Where the archive has its contents, if they are packed on their own: in a ZIP. */
  readonly packed?: PackedContent | undefined;
}

/** The packed contents of an entry: their range in the archive's file, compressed or not. */
export interface PackedContent extends FileRange {
  readonly isCompressed: boolean;
  /** The CRC-32 of the contents, as the archive states it. */
  readonly crc: number;
}

/** An entry with its content. */
export interface ArchiveContent {
  readonly entry: ArchiveEntry;
  /** Further wanted entries that are the same file: hard links in a tar. Their content is not read again. */
  readonly links: readonly ArchiveEntry[];
  /** The content's range in the archive's file, if neither the entry nor its tar is compressed. */
  readonly place?: FileRange | undefined;
  readonly content: AsyncIterable<Uint8Array>;
}

/** An open archive. Its whole structure was checked before it was returned. */
export interface Archive extends AsyncDisposable {
  readonly format: "zip" | TarFormat;
  /** Every regular file, in the archive's order. */
  readonly entries: readonly ArchiveEntry[];
  /** The folders that have entries of their own, without a slash at their ends. They may be empty. */
  readonly folders: readonly string[];
  /**
   * Yields the contents of the entries that `wants` accepts, in the archive's order. Read each to its end, or leave its
   * loop, before you request the next. Only one reading at a time. A piece is valid until the next one is requested.
   *
   * Hard links come with the file that they link to. CRC and size are checked while the content streams. A content that
   * ends without an error is complete, as far as the format can tell: an uncompressed tar has no checksums of contents.
   *
   * @throws {RefusedError} code `ARCHIVE_DAMAGED` or `ARCHIVE_UNSAFE`
   */
  read(wants?: (entry: ArchiveEntry) => boolean): AsyncGenerator<ArchiveContent>;
}
