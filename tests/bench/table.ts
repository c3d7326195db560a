/** A measurement, as the cells of its row. */
export interface Result {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** The comparison, in the terms of the target. */
  readonly ratio: string;
  readonly wanted: string;
  /** Whether the target is met; missing if there is none. */
  readonly kept?: boolean;
}

/** A row of the table: a measurement, or the reason of a failure. */
export type Row = { readonly scenario: string } & (Result | { readonly failed: string });

/** The first lines of the table in the guide to benchmarks. */
export const TABLE_HEAD =
  "| measurement | model-sync | instead | comparison | target | met |\n|---|---|---|---|---|---|";

/** Returns a line of the table. The line of a failed scenario has the reason. */
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
