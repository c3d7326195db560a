import type { ComponentChildren } from "preact";
import type { Tone } from "../fleet/tone.ts";
import { Mark } from "./Mark.tsx";

interface NoticeProps {
  readonly tone: Tone;
  readonly title?: ComponentChildren;
  readonly children?: ComponentChildren;
  /** `alert` for what answers the reader's last action with a fault, `status` for what answers it otherwise. */
  readonly role?: "alert" | "status";
}

/** Renders what the reader has to know before the rest. */
export function Notice({ tone, title, children, role }: NoticeProps) {
  return (
    <div class={`notice tone-${tone}`} role={role}>
      <Mark tone={tone} />
      <div>
        {title !== undefined && <p class="notice-title">{title}</p>}
        {children}
      </div>
    </div>
  );
}
