import { NO_SIGNATURES, type SignaturePolicy } from "../lib/pipeline/check_signature.ts";
import type { Seal } from "../lib/signing/seal.ts";
import type { Session } from "./_command.ts";

/** The configured keys. What reads them is loaded where there are any: it costs a start some milliseconds. */

/** Whose signatures this client trusts. @throws {UsageError} for a key that cannot be used */
export async function signaturePolicy({ context, settings }: Session): Promise<SignaturePolicy> {
  const { signing } = settings;
  if (signing.public_keys.length === 0) return NO_SIGNATURES;
  const { configuredTrust } = await import("../lib/signing/configured_keys.ts");
  return { keys: configuredTrust(context, signing), isRequired: signing.required };
}

/** What this publisher seals releases with; nothing where nothing is configured. @throws {UsageError} as above */
export async function releaseSeal({ context, settings }: Session): Promise<Seal | undefined> {
  const { signing } = settings;
  const { private_key, private_key_env, valid_days } = signing;
  if (private_key === undefined && private_key_env === undefined && valid_days === undefined) {
    return undefined;
  }
  const { configuredSeal } = await import("../lib/signing/configured_keys.ts");
  return configuredSeal(context, signing);
}
