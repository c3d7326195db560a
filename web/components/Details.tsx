import type { ComponentChildren } from "preact";

interface DetailsProps {
  readonly summary: ComponentChildren;
  readonly children: ComponentChildren;
  readonly isOpen?: boolean;
}

/** Renders what is read only on demand. */
export function Details({ summary, children, isOpen = false }: DetailsProps) {
  return (
    <details class="details" open={isOpen}>
      <summary>{summary}</summary>
      <div>{children}</div>
    </details>
  );
}
