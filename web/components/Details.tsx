import type { ComponentChildren } from "preact";
import { plural } from "../../lib/core/format.ts";

interface DetailsProps {
  readonly summary: ComponentChildren;
  readonly children: ComponentChildren;
}

/** Renders folded content. */
export function Details({ summary, children }: DetailsProps) {
  return (
    <details class="details">
      <summary>{summary}</summary>
      <div>{children}</div>
    </details>
  );
}

/** This many more items are shown unfolded, because a fold would need as much space. */
const SPARE = 3;

interface ShortenedProps<Item> {
  readonly items: readonly Item[];
  /** How many items are shown; the rest is folded. */
  readonly atOnce: number;
  /** The name of one item: `node`. */
  readonly noun: string;
  /** Renders some of them. */
  readonly children: (items: readonly Item[]) => ComponentChildren;
}

/** Renders the beginning of a long list, with the rest folded. */
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
