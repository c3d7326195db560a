import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";

/** The clocks of two containers differ less. An older request may be a recorded one that is sent again. */
const AGE_SECONDS_MAX = 300;

/** The prefix of a secret in base64, as the libraries of Standard Webhooks create it. */
const BASE64_PREFIX = "whsec_";

/**
 * Returns what is wrong with the signature of a request of model-sync; `undefined` if it is right. The signature is the
 * one of Standard Webhooks 1.0.0: `webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 over
 * `<webhook-id>.<webhook-timestamp>.<body>`.
 *
 * @param secret as in the variable that the setting `secret_env` names
 * @param now in milliseconds since 1970
 */
export function signatureProblem(
  headers: Headers,
  body: string,
  secret: string,
  now: number,
): string | undefined {
  const [id, timestamp, signatures] = ["id", "timestamp", "signature"].map((name) =>
    headers.get(`webhook-${name}`)
  );
  if (!id || !timestamp || !signatures) return "it is not signed";
  const age = Math.abs(now / 1000 - Number(timestamp));
  if (!(age <= AGE_SECONDS_MAX)) return "its time differs from this machine's by more than five minutes";
  const key = secret.startsWith(BASE64_PREFIX)
    ? Buffer.from(secret.slice(BASE64_PREFIX.length), "base64")
    : Buffer.from(secret, "utf8");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  // There are several while a secret is replaced.
  const isSigned = signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return isSigned ? undefined : "its signature was made with another secret, or its body was changed";
}
