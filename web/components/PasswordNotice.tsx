import { formatDuration } from "../../lib/core/format.ts";
import type { PasswordCheck } from "../access/check_password.ts";
import { Notice } from "./Notice.tsx";

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
