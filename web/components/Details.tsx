import type { ComponentChildren } from "preact";
import { plural } from "../../lib/core/format.ts";

interface DetailsProps {
  readonly summary: ComponentChildren;
  readonly children: ComponentChildren;
}

/** Renders what is read only on demand. */
export function Details({ summary, children }: DetailsProps) {
  return (
    <details class="details">
      <summary>{summary}</summary>
      <div>{children}</div>
    </details>
  );
}

/** So few more are shown at once: a fold would take as much room. */
const SPARE = 3;

interface ShortenedProps<Item> {
  readonly items: readonly Item[];
  /** How many are shown at once; the rest is read on demand. */
  readonly atOnce: number;
  /** What one of them is: `node`. */
  readonly noun: string;
  /** Renders some of them. */
  readonly children: (items: readonly Item[]) => ComponentChildren;
}

/** Renders the beginning of a long list, and the rest of it folded. */
export function Shortened<Item>({ items, atOnce, noun, children }: ShortenedProps<Item>) {
  if (items.length <= atOnce + SPARE) return <>{children(items)}</>;
  return (
    <>
      {children(items.slice(0, atOnce))}
      <Details summary={`Show ${plural(items.length - atOnce, `more ${noun}`)}`}>
        {children(items.slice(atOnce))}
      </Details>
    </>
  );
}
