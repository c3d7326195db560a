import { oneLine } from "../../lib/core/quote.ts";
import type { Web } from "../shared/web.ts";
import type { Password } from "./password_source.ts";
import { trySignIn } from "./sign_in_limits.ts";
import type { Visit } from "./visit.ts";
import { BusyError } from "./work_queue.ts";

/** What came of a password that was typed. */
export type PasswordCheck =
  | { readonly kind: "right" }
  | { readonly kind: "wrong" }
  /** It was not looked at: after too many wrong ones, or because too many are checked at once. */
  | { readonly kind: "later"; readonly reason: "limit" | "busy"; readonly retryAfterSec: number };

/** The longest address of a client in the log. */
const ADDRESS_CHARS_MAX = 64;

/** Checks a password that was typed, within the limits of sign-ins. Each wrong one is logged with its address. */
export async function checkTypedPassword(
  web: Web,
  visit: Visit,
  password: Password,
  typed: string,
): Promise<PasswordCheck> {
  const address = oneLine(visit.address).slice(0, ADDRESS_CHARS_MAX);
  const attempt = await trySignIn(web, visit.address);
  if (!attempt.isAllowed) {
    web.log.warn(`refused a sign-in from ${address}: too many wrong passwords`);
    return { kind: "later", reason: "limit", retryAfterSec: attempt.retryAfterSec };
  }
  try {
    if (await password.matches(typed)) {
      await attempt.succeed();
      return { kind: "right" };
    }
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    await attempt.succeed();
    return { kind: "later", reason: "busy", retryAfterSec: Math.ceil((error.retryAfterMs ?? 0) / 1000) };
  }
  web.log.warn(`refused a sign-in from ${address}: wrong password`);
  return { kind: "wrong" };
}
