import { cutToWidth, textWidth } from "../lib/core/text_width.ts";
import { wrap } from "./_help.ts";
import type { Output, Style } from "./_output.ts";

/** A text of a table, which may have a style. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** A column of a table. */
export interface Column {
  readonly heading: string;
  readonly align?: "end";
  /** The least width, so that tables that follow each other are aligned. */
  readonly widthMin?: number;
  /** Columns with higher numbers are left out first on a narrow terminal. Without a number, a column is always shown. */
  readonly leftOut?: number;
}

/** A row, with lines below it that have no columns. */
export interface Row {
  readonly cells: readonly Cell[];
  readonly notes?: readonly string[];
}

const GAP = "  ";

/**
 * Returns the lines of a table. On a terminal, columns are left out and the last one is cut until the table fits;
 * elsewhere, nothing is, for `grep` and `cut`.
 */
export function tableLines(
  output: Output,
  columns: readonly Column[],
  rows: readonly Row[],
  { hasHeading = true }: { readonly hasHeading?: boolean } = {},
): string[] {
  const widths = columns.map(({ heading, widthMin = 0 }, index) =>
    rows.reduce(
      (width, { cells }) => Math.max(width, textWidth(textOf(cells[index]))),
      Math.max(widthMin, hasHeading ? heading.length : 0),
    )
  );
  const room = output.columns ?? Infinity;
  const shown = fittingColumns(columns, widths, room);
  const layout = shown.map((index) => ({ index, width: widths[index] ?? 0, align: columns[index]?.align }));
  const heading = columns.map(({ heading }) => ({ text: heading, style: "bold" } as const));
  return [
    ...(hasHeading ? [rowLine(output, layout, heading, room)] : []),
    ...rows.flatMap(({ cells, notes = [] }) => [
      rowLine(output, layout, cells, room),
      ...notes.flatMap((note) => noteLines(output, note)),
    ]),
  ];
}

/** Returns the lines of a note below a row. On a terminal, they are broken between words. */
export function noteLines(output: Output, note: string): string[] {
  const indentation = "    ";
  return wrap(note, output.columns ?? Infinity, indentation, indentation)
    .map((line) => output.paint("dim", line));
}

/** Returns the indexes of the columns that fit. */
function fittingColumns(columns: readonly Column[], widths: readonly number[], room: number): number[] {
  let shown = columns.map((_, index) => index);
  const total = () =>
    shown.reduce((sum, index) => sum + (widths[index] ?? 0), GAP.length * (shown.length - 1));
  while (total() > room) {
    const [first] = shown.filter((index) => columns[index]?.leftOut !== undefined)
      .sort((a, b) => (columns[b]?.leftOut ?? 0) - (columns[a]?.leftOut ?? 0));
    if (first === undefined) break;
    shown = shown.filter((index) => index !== first);
  }
  return shown;
}

interface PlacedColumn {
  readonly index: number;
  readonly width: number;
  readonly align: Column["align"];
}

function rowLine(
  output: Output,
  layout: readonly PlacedColumn[],
  cells: readonly Cell[],
  room: number,
): string {
  let line = "";
  let used = 0;
  for (const [place, { index, width, align }] of layout.entries()) {
    const isLast = place === layout.length - 1;
    const text = cutToWidth(textOf(cells[index]), Math.max(0, room - used));
    const padding = " ".repeat(Math.max(0, width - textWidth(text)));
    const painted = paint(output, cells[index], text);
    line += align === "end" ? padding + painted : isLast ? painted : painted + padding;
    if (!isLast) line += GAP;
    used += width + GAP.length;
  }
  return line.trimEnd();
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === "object" ? cell.text : cell ?? "";
}

function paint(output: Output, cell: Cell | undefined, text: string): string {
  return typeof cell === "object" && text !== "" ? output.paint(cell.style, text) : text;
}
