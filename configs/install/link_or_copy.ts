import { removeIfThere } from "../../lib/core/files.ts";

/** Write permission of group and others, and read permission of all. */
const [OTHERS_WRITE, ALL_READ] = [0o022, 0o444];

/**
 * Gives a file a second name, which replaces a file there, or copies it where that is not possible: on another disk,
 * or if another user could change it there or cannot read it. A second name costs no time and no space, and stays when the first one is removed.
 */
export function linkOrCopy(from: string, to: string, mode: number): void {
  // A killed install may leave the second name of the same file, into which a copy would empty that file.
  removeIfThere(Deno, to);
  if (isShareable(Deno.statSync(from), mode)) {
    try {
      return Deno.linkSync(from, to);
    } catch {
      // Another disk, or a file system without links: the copy reports every other fault.
    }
  }
  Deno.copyFileSync(from, to);
  if (Deno.build.os !== "windows") Deno.chmodSync(to, mode);
}

function isShareable({ uid, mode: actual }: Deno.FileInfo, wanted: number): boolean {
  if (Deno.build.os === "windows" || actual === null || uid !== Deno.uid()) return false;
  const needed = wanted & (ALL_READ | 0o111);
  return (actual & OTHERS_WRITE) === 0 && (actual & needed) === needed;
}
