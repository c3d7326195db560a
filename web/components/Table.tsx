import type { ComponentChildren } from "preact";

export interface Column {
  readonly label: string;
  /** Right-aligned, for numbers and times. */
  readonly align?: "end";
  /**
   * The width of the column, the same in all tables. Columns without a size share the rest. If no column has a size,
   * columns are as wide as their content.
   */
  readonly size?: "small" | "medium" | "large";
  /** Takes the remaining width in a table without sizes. */
  readonly grows?: boolean;
}

interface TableProps {
  /** The name of the table for screen readers. */
  readonly caption: string;
  readonly columns: readonly Column[];
  /** {@link Row}s. */
  readonly children: ComponentChildren;
  /** The key of a region that may change while the page is open. */
  readonly live?: string;
}

/**
 * Renders a table. On a phone, each row becomes a card whose cells name their columns. Roles are explicit because
 * browsers drop them when the layout of a table changes.
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
  /** The node in the row. */
  readonly node?: string;
}

/** Renders a row of a {@link Table}. */
export function Row({ children, live, node }: RowProps) {
  return <tr role="row" data-live={live} data-node={node}>{children}</tr>;
}

interface CellProps {
  /** The name of the column, which phones show beside the value; `""` for none. */
  readonly label: string;
  readonly children: ComponentChildren;
  readonly align?: "end";
  /** `head`: the subject of the row. `wide`: a line of its own on a phone. */
  readonly kind?: "head" | "wide";
  /** Small text below the value. */
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
  /** The address of newer entries; missing on the first page. */
  readonly newer?: string | undefined;
  /** The address of older entries; missing on the last page. */
  readonly older?: string | undefined;
  /** The name of the entries: `runs`. */
  readonly what: string;
}

/** Renders links to newer and older entries; nothing if all are shown. */
export function Pager({ newer, older, what }: PagerProps) {
  if (newer === undefined && older === undefined) return null;
  return (
    <nav class="pager" aria-label={`More ${what}`}>
      {newer !== undefined && <a class="button" rel="prev" href={newer}>← Newer {what}</a>}
      {older !== undefined && <a class="button" rel="next" href={older}>Older {what} →</a>}
    </nav>
  );
}
