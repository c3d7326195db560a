import type { Row } from "./run_scenario.ts";

/** The first lines of the table in the README. */
export const TABLE_HEAD =
  "| what | model-sync | instead | ratio | wanted | kept |\n|---|---|---|---|---|---|";

/** A line of the table. A scenario that failed is a row that says why. */
export function tableRow(row: Row): string {
  const cells = "failed" in row
    ? [`\`${row.scenario}\``, `failed: ${row.failed}`, "", "", "", "**no**"]
    : [row.what, row.ours, row.theirs, row.ratio, row.wanted, verdict(row.kept)];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function verdict(kept: boolean | undefined): string {
  if (kept === undefined) return "";
  return kept ? "yes" : "**no**";
}
