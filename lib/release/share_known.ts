import { compareUtf8 } from "../core/portable_path.ts";
import type { DigestedFile } from "./digest_lines.ts";

/** An entry of a manifest. */
interface Entry extends DigestedFile {
  readonly contentChunks?: string | undefined;
}

/** A list of files that shares entries with another one. */
export interface SharedFiles<File> {
  readonly files: File[];
  /** The entries that are not shared. */
  readonly others: readonly File[];
  /** Whether a path may not be one of the known ones, or is one of them twice. */
  readonly hasNewPaths: boolean;
}

/**
 * Returns a list of files with the known entries in the place of equal ones.
 *
 * @param known in the order of paths, as in every manifest
 */
export function shareKnown<File extends Entry>(
  all: readonly File[],
  known: readonly File[],
): SharedFiles<File> {
  let at = 0;
  let hasNewPaths = false;
  const others: File[] = [];
  const files = all.map((file) => {
    while (known[at]?.path !== file.path && isBefore(known[at], file)) at++;
    const other = known[at];
    if (other?.path !== file.path) hasNewPaths = true;
    // Each entry is used once: of two files with one path, the second is new.
    else {
      at++;
      if (isSameEntry(other, file)) return other;
    }
    others.push(file);
    return file;
  });
  return { files, others, hasNewPaths };
}

function isBefore(known: Entry | undefined, file: Entry): boolean {
  return known !== undefined && compareUtf8(known.path, file.path) < 0;
}

/** Whether two entries of the same path are equal. */
export function isSameEntry(a: Entry, b: Entry): boolean {
  return a.size === b.size && a.sha256 === b.sha256 && a.contentChunks === b.contentChunks;
}
