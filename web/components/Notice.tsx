import type { ComponentChildren } from "preact";
import type { Tone } from "../fleet/tone.ts";
import { Mark } from "./Mark.tsx";
import { sentence } from "../shared/words.ts";
import type { IntakeProblem } from "../local/local_intake.ts";
import { shownText } from "../shared/shown_text.ts";
import { Time } from "./Time.tsx";
import { formatDuration } from "../../lib/core/format.ts";
import type { PasswordCheck } from "../access/check_password.ts";

interface NoticeProps {
  readonly tone: Tone;
  readonly title?: ComponentChildren;
  readonly children?: ComponentChildren;
  /** `alert` for an error after the reader's last action, `status` for another result of it. */
  readonly role?: "alert" | "status";
}

/** Renders a message above the content of a page. */
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

/**
 * Renders why runs of the dashboard's own machine are missing. Its nodes look healthy although their data is outdated.
 */
export function IntakeNotice({ problem }: { readonly problem: IntakeProblem | undefined }) {
  return (
    <div data-live="intake">
      {problem !== undefined && (
        <Notice
          tone="bad"
          title={
            <>
              Runs of this machine have been missing since{" "}
              <Time at={problem.since.toISOString()} style="clock" />.
            </>
          }
        >
          <p>{shownText(sentence(problem.reason))}</p>
        </Notice>
      )}
    </div>
  );
}

/** Renders why a password was not accepted; nothing if it was. */
export function PasswordNotice({ check }: { readonly check: PasswordCheck }) {
  if (check.kind === "right") return null;
  if (check.kind === "wrong") {
    return (
      <Notice tone="bad" role="alert" title="Wrong password.">
        <p>Check the keyboard layout and Caps Lock, and try again.</p>
      </Notice>
    );
  }
  const wait = formatDuration(check.retryAfterSec * 1000);
  return (
    <Notice tone="warn" role="alert" title={`The password was not checked. Try again in ${wait}.`}>
      <p>
        {check.reason === "limit"
          ? "Too many wrong passwords were entered. People who are already signed in are not affected."
          : "Too many people are signing in right now."}
      </p>
    </Notice>
  );
}
