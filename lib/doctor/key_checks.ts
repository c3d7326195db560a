import type { Signing } from "../config/sections/signing.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { hasRequiredSignature } from "../pipeline/check_signature.ts";
import { signaturePolicy } from "../pipeline/configured_signing.ts";
import { shortDigest } from "../release/manifest.ts";
import type { TrustedKey } from "../signing/verify_files.ts";
import type { MachineUse } from "../status/machine_use.ts";
import { readActive } from "../store/pointers.ts";
import type { Store } from "../store/store.ts";
import { type Check, fail, pass, warn } from "./check.ts";

/**
 * The notice before a key ends. A rotation takes some days: clients need the new public key before the publisher signs.
 */
const ENDS_SOON_MS = 14 * 86_400_000;

/**
 * Checks that the configured signing keys can be used, and that the active release has a signature where one is
 * required. Returns nothing without configured keys.
 *
 * @param use the use of this machine: one that never trains needs no private key
 */
export async function checkKeys(
  context: Context,
  signing: Signing,
  use: MachineUse,
  store: Store | undefined,
): Promise<Check[]> {
  const { private_key, private_key_env, public_keys } = signing;
  const signs = private_key !== undefined || private_key_env !== undefined;
  if (!signs && public_keys.length === 0) return [];
  const { configuredSeal, configuredTrust } = await import("../signing/configured_keys.ts");
  const own = () => {
    const { signer } = configuredSeal(context, signing);
    return [pass("signing key", `releases are signed by the key ${signer?.keyHint.slice(0, 12)}`)];
  };
  const now = context.clock.now();
  const trusted = checking(
    "trusted keys",
    () => configuredTrust(context, signing).map((key) => checkTrusted(key, now)),
  );
  const areUsable = trusted.every(({ status }) => status !== "fail");
  return [
    ...(signs ? checking("signing key", own).map((check) => forClient(check, use)) : []),
    ...trusted,
    ...(areUsable ? await checkActiveSignature(context, store, signing) : []),
  ];
}

/** Checks that the active release has a trusted signature, where signatures are required. */
async function checkActiveSignature(
  context: Context,
  store: Store | undefined,
  signing: Signing,
): Promise<Check[]> {
  const active = store === undefined ? undefined : readActive(store);
  if (store === undefined || active?.kind !== "whole") return [];
  const { digest } = active.manifest;
  const policy = await signaturePolicy(context, signing);
  if (await hasRequiredSignature(context, store, digest, policy)) return [];
  return [warn(
    "signature",
    `the active release ${
      shortDigest(digest)
    } has no signature of a trusted key, and signing.required is set`,
    "publish a signed release, and pull it",
  )];
}

function forClient(check: Check, use: MachineUse): Check {
  if (check.status !== "fail" || !use.neverTrains) return check;
  return warn(
    "signing key",
    check.detail,
    "nothing: this machine does not publish, and only publishers sign",
  );
}

function checking(name: string, check: () => Check[]): Check[] {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    return [fail(name, error.message, error.hint ?? "fix it and run again")];
  }
}

function checkTrusted({ source, notBefore, notAfter }: TrustedKey, now: Date): Check {
  const hint = "add the new public key to signing.public_keys before the publisher signs with it";
  if (notAfter !== undefined && notAfter < now) {
    return warn("trusted keys", `${source} is no longer trusted, since ${isoSeconds(notAfter)}`, hint);
  }
  if (notAfter !== undefined && notAfter.getTime() - now.getTime() < ENDS_SOON_MS) {
    return warn("trusted keys", `${source} is only trusted until ${isoSeconds(notAfter)}`, hint);
  }
  if (notBefore !== undefined && notBefore > now) {
    return pass("trusted keys", `${source} is trusted from ${isoSeconds(notBefore)} on`);
  }
  return pass("trusted keys", `${source} is trusted`);
}
