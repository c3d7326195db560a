import type { ArchiveSource } from "./archive_guard.ts";
import type { FileRange } from "./file_range.ts";
import { localHeaderRanges } from "./zip_directory.ts";
import { END_OF_ZIP_BYTES_MAX, readEndOfZip } from "./zip_end.ts";

/** Read from the beginning to recognise the format. The first local header is there, too. */
export const HEAD_BYTES = 64 * 1024;

/** Holds the end records, and the whole directory of a ZIP with up to about a thousand entries. */
const TAIL_BYTES = 2 * 64 * 1024;

/** A directory of 200,000 entries has half of that. */
const DIRECTORY_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Fetches everything of a ZIP that `openArchive` reads, except the contents of the entries. The first {@link HEAD_BYTES}
 * are there already.
 *
 * @param fetch makes ranges of the file readable
 * @throws {RefusedError} as `openArchive`
 */
export async function fetchZipStructure(
  source: Omit<ArchiveSource, "signal">,
  fetch: (ranges: readonly FileRange[]) => Promise<void>,
): Promise<void> {
  const { file, bytes, guard } = source;
  const tail = Math.max(0, bytes - Math.max(TAIL_BYTES, END_OF_ZIP_BYTES_MAX));
  await fetch([{ offset: tail, bytes: bytes - tail }]);
  const place = readEndOfZip(file, bytes, guard);
  if (place.bytes > DIRECTORY_BYTES_MAX) {
    throw guard.fault("ARCHIVE_LIMIT", `its directory has ${place.bytes} bytes`);
  }
  await fetch([{ offset: place.offset, bytes: bytes - place.offset }]);
  await fetch(localHeaderRanges(source, place));
}
