import { oneLine } from "../../lib/core/quote.ts";
import type { Web } from "../shared/web.ts";
import type { Password } from "./password_source.ts";
import { trySignIn } from "./sign_in_limits.ts";
import type { Visit } from "./visit.ts";
import { BusyError } from "./work_queue.ts";

/** The result of checking a password. */
export type PasswordCheck =
  | { readonly kind: "right" }
  | { readonly kind: "wrong" }
  /** Not checked: after too many wrong passwords, or because too many are being checked. */
  | { readonly kind: "later"; readonly reason: "limit" | "busy"; readonly retryAfterSec: number };

/** Longer client addresses are cut in the log. */
const ADDRESS_CHARS_MAX = 64;

/** Checks a password within the limits for sign-ins. Each wrong password is logged with the client's address. */
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
