import type { ChangeList } from "../lib/release/changes.ts";
import type { Output } from "./_output.ts";

/** A person reads the first screenful; a release may have thousands of files. */
const SHOWN_MAX = 40;

/** Returns a preview file by file: removals first (`-`), which are cut last, then changes (`~`) and additions (`+`). */
export function changeLines(output: Output, changes: ChangeList): string[] {
  const lines = [
    ...changes.removed.map((path) => output.paint("red", `  - ${path}`)),
    ...changes.modified.map((path) => output.paint("yellow", `  ~ ${path}`)),
    ...changes.added.map((path) => output.paint("green", `  + ${path}`)),
  ];
  const hidden = lines.length - SHOWN_MAX;
  return hidden > 0 ? [...lines.slice(0, SHOWN_MAX), `  … and ${hidden} more`] : lines;
}
