import type { ComponentChildren } from "preact";

export interface Column {
  readonly label: string;
  /** Numbers and times to the right. */
  readonly align?: "end";
  /**
   * How wide the column is, the same in every table that has it; what is left goes to columns without a size. Without
   * sizes all columns are as wide as what is in them.
   */
  readonly size?: "small" | "medium" | "large";
  /** Takes what is left in a table without sizes. */
  readonly grows?: boolean;
}

interface TableProps {
  /** What the rows are, for those who do not see the heading above. */
  readonly caption: string;
  readonly columns: readonly Column[];
  /** {@link Row}s. */
  readonly children: ComponentChildren;
  /** The key of a region that may change while the page is open. */
  readonly live?: string;
}

/**
 * Renders a table. On a phone each row becomes a card whose cells name their column. The roles are written down because
 * browsers forget them when the layout of a table changes.
 */
export function Table({ caption, columns, children, live }: TableProps) {
  const isSized = columns.some(({ size }) => size !== undefined);
  return (
    <table class={isSized ? "table table-sized" : "table"} role="table" data-live={live}>
      <caption class="unseen">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ label, align, size, grows }) => (
            <th
              role="columnheader"
              scope="col"
              class={classes(align, size && `col-${size}`, grows && !isSized ? "grows" : undefined)}
            >
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

interface RowProps {
  readonly children: ComponentChildren;
  /** The key of a row that may change while the page is open. */
  readonly live?: string;
  /** The node that the row shows. */
  readonly node?: string;
}

/** Renders a row of a {@link Table}. */
export function Row({ children, live, node }: RowProps) {
  return <tr role="row" data-live={live} data-node={node}>{children}</tr>;
}

interface CellProps {
  /** The name of the column, which a phone shows beside the value; `""` for a cell that names itself. */
  readonly label: string;
  readonly children: ComponentChildren;
  readonly align?: "end";
  /** `head`: what the row is about. `wide`: takes a line of its own on a phone. */
  readonly kind?: "head" | "wide";
  /** In small letters below the value. */
  readonly note?: ComponentChildren;
}

/** Renders a cell of a {@link Row}. */
export function Cell({ label, children, align, kind, note }: CellProps) {
  return (
    <td
      role={kind === "head" ? "rowheader" : "cell"}
      data-label={label === "" ? undefined : label}
      class={classes(align, kind && `cell-${kind}`)}
    >
      <div>
        {children}
        {note !== undefined && note !== null && note !== false && <small>{note}</small>}
      </div>
    </td>
  );
}

function classes(...names: readonly (string | undefined)[]): string | undefined {
  const given = names.filter((name) => name !== undefined);
  return given.length === 0 ? undefined : given.join(" ");
}

interface PagerProps {
  /** Where newer entries are; without it these are the newest. */
  readonly newer?: string | undefined;
  /** Where older entries are; without it these are the oldest. */
  readonly older?: string | undefined;
  /** What is paged: `runs`. */
  readonly what: string;
}

/** Renders links to the entries before and after those shown; nothing where all are shown. */
export function Pager({ newer, older, what }: PagerProps) {
  if (newer === undefined && older === undefined) return null;
  return (
    <nav class="pager" aria-label={`More ${what}`}>
      {newer !== undefined && <a class="button" rel="prev" href={newer}>← Newer {what}</a>}
      {older !== undefined && <a class="button" rel="next" href={older}>Older {what} →</a>}
    </nav>
  );
}
