/** A measurement, as the cells of its row. */
export interface Result {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** How the two compare, in the terms of the promise. */
  readonly ratio: string;
  readonly wanted: string;
  /** Whether the promise holds; missing where nothing is promised. */
  readonly kept?: boolean;
}

/** A row of the table: what was measured, or why nothing was. */
export type Row = { readonly scenario: string } & (Result | { readonly failed: string });

/** The first lines of the table in the guide to benchmarks. */
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
