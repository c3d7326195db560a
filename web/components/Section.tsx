import type { ComponentChildren } from "preact";

interface SectionProps {
  readonly title: ComponentChildren;
  /** In small letters beside the title. */
  readonly note?: ComponentChildren;
  readonly children: ComponentChildren;
  /** An anchor, for links to this section. */
  readonly id?: string;
  /** The key of a region that may change while the page is open. */
  readonly live?: string;
}

/** Renders a part of a page with its heading. */
export function Section({ title, note, children, id, live }: SectionProps) {
  return (
    <section class="section" id={id} data-live={live}>
      <div class="section-head">
        <h2>{title}</h2>
        {note !== undefined && note !== null && note !== false && <p>{note}</p>}
      </div>
      {children}
    </section>
  );
}
