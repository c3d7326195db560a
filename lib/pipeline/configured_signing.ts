import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import type { Seal } from "../signing/seal.ts";
import { NO_SIGNATURES, type SignaturePolicy } from "./check_signature.ts";

// The code that reads keys is loaded only where keys are configured: it costs a start some milliseconds.

type Signing = ModelSync["signing"];

/** Returns the signatures that this client trusts and requires. @throws {UsageError} for a key that cannot be used */
export async function signaturePolicy(context: Context, signing: Signing): Promise<SignaturePolicy> {
  if (signing.public_keys.length === 0) return NO_SIGNATURES;
  const { configuredTrust } = await import("../signing/configured_keys.ts");
  return { keys: configuredTrust(context, signing), isRequired: signing.required };
}

/**
 * Returns what this publisher seals releases with; `undefined` where the settings name neither a key nor a validity.
 *
 * @throws {UsageError} for a key that cannot be used
 */
export async function releaseSeal(context: Context, signing: Signing): Promise<Seal | undefined> {
  const { private_key, private_key_env, valid_days } = signing;
  if ((private_key ?? private_key_env ?? valid_days) === undefined) return undefined;
  const { configuredSeal } = await import("../signing/configured_keys.ts");
  return configuredSeal(context, signing);
}
