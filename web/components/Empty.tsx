import type { ComponentChildren } from "preact";
import { Command } from "./Command.tsx";

interface EmptyProps {
  /** What there is none of: `No node has reported yet`. */
  readonly title: string;
  /** What to do next. */
  readonly children?: ComponentChildren;
  /** What to type next, in this order. */
  readonly commands?: readonly string[];
}

/** Renders the place of what does not exist yet, and how to get it. */
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
