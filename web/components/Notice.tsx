import type { ComponentChildren } from "preact";
import type { Tone } from "../fleet/tone.ts";
import { Mark } from "./Mark.tsx";
import { sentence } from "../fleet/words.ts";
import type { IntakeProblem } from "../local/local_intake.ts";
import { shownText } from "../shared/shown_text.ts";
import { Time } from "./Time.tsx";
import { formatDuration } from "../../lib/core/format.ts";
import type { PasswordCheck } from "../access/check_password.ts";

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

/** Renders why the page misses what the dashboard's own machine does: its nodes look as well as they did before. */
export function IntakeNotice({ problem }: { readonly problem: IntakeProblem | undefined }) {
  return (
    <div data-live="intake">
      {problem !== undefined && (
        <Notice
          tone="bad"
          title={
            <>
              This machine's runs are not shown since <Time at={problem.since.toISOString()} style="clock" />.
            </>
          }
        >
          <p>{shownText(sentence(problem.reason))}</p>
        </Notice>
      )}
    </div>
  );
}

/** Says why a password was not taken; nothing where it was. */
export function PasswordNotice({ check }: { readonly check: PasswordCheck }) {
  if (check.kind === "right") return null;
  if (check.kind === "wrong") {
    return (
      <Notice tone="bad" role="alert" title="This is not the password.">
        <p>Check the keyboard's layout and Caps Lock, and type it again.</p>
      </Notice>
    );
  }
  const wait = formatDuration(check.retryAfterSec * 1000);
  return (
    <Notice tone="warn" role="alert" title={`The password was not checked. Try again in ${wait}.`}>
      <p>
        {check.reason === "limit"
          ? "There were too many wrong passwords. Those who are signed in are not affected."
          : "Too many people sign in at this moment."}
      </p>
    </Notice>
  );
}
