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
