import type { ComponentChildren } from "preact";
import { shownText } from "../shared/shown_text.ts";

interface SectionProps {
  readonly title: ComponentChildren;
  /** Small text beside the title. */
  readonly note?: ComponentChildren;
  readonly children: ComponentChildren;
  /** An anchor, for links to this section. */
  readonly id?: string;
  /** The key of a region that may change while the page is open. */
  readonly live?: string;
}

/** Renders a section of a page with its heading. */
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

export interface Fact {
  readonly label: string;
  readonly value: ComponentChildren;
  /** Small text below the value. */
  readonly note?: ComponentChildren;
}

/** Renders facts as a grid of names and values. Missing facts are left out. */
export function Facts({ facts }: { readonly facts: readonly (Fact | null | undefined | false)[] }) {
  return (
    <dl class="facts">
      {facts.map((fact) =>
        fact && (
          <div>
            <dt>{fact.label}</dt>
            <dd>
              {fact.value}
              {fact.note !== undefined && <small>{fact.note}</small>}
            </dd>
          </div>
        )
      )}
    </dl>
  );
}

interface EmptyProps {
  /** The missing content: `No node has reported yet`. */
  readonly title: string;
  /** The next step for the reader. */
  readonly children?: ComponentChildren;
  /** Commands to run next, in this order. */
  readonly commands?: readonly string[];
}

/** Renders an empty state, and how to change it. */
export function Empty({ title, children, commands = [] }: EmptyProps) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <div class="prose">{children}</div>}
      {commands.map((command) => (
        <p key={command}>
          <Command command={command} />
        </p>
      ))}
    </div>
  );
}

/** Renders a command with a button that copies it, if scripts run. */
export function Command({ command }: { readonly command: string }) {
  return (
    <span class="command">
      <code>{shownText(command)}</code>
      <button type="button" class="copy" data-copy={command} hidden>Copy</button>
    </span>
  );
}
