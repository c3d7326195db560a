import { compareUtf8 } from "../core/portable_path.ts";
import type { Manifest, ReleaseFile } from "./manifest.ts";
import { isSameEntry } from "./plain_list.ts";

/**
 * Returns the manifest with the entries of an earlier one in the place of equal ones: two manifests of which few entries
 * differ then take the memory of one.
 *
 * @param known in the order of paths, as in every manifest
 */
export function shareEntries(manifest: Manifest, known: readonly ReleaseFile[]): Manifest {
  let at = 0;
  const files = manifest.files.map((file) => {
    while (known[at]?.path !== file.path && isBefore(known[at], file)) at++;
    const other = known[at];
    return other?.path === file.path && isSameEntry(other, file) ? other : file;
  });
  return { ...manifest, files };
}

function isBefore(known: ReleaseFile | undefined, file: ReleaseFile): boolean {
  return known !== undefined && compareUtf8(known.path, file.path) < 0;
}
