import type { ChangeList } from "../lib/release/changes.ts";
import type { Output } from "./_output.ts";

/** A release has thousands of files at times; a person reads the first screenful. */
const SHOWN_MAX = 40;

/** The lines of a file-by-file preview: `- removed`, `~ modified`, `+ added`. Removals come first, so that the cut hides them last. */
export function changeLines(output: Output, changes: ChangeList): string[] {
  const lines = [
    ...changes.removed.map((path) => output.paint("red", `  - ${path}`)),
    ...changes.modified.map((path) => output.paint("yellow", `  ~ ${path}`)),
    ...changes.added.map((path) => output.paint("green", `  + ${path}`)),
  ];
  const hidden = lines.length - SHOWN_MAX;
  return hidden > 0 ? [...lines.slice(0, SHOWN_MAX), `  … and ${hidden} more`] : lines;
}
