import type { Signing } from "../config/sections/signing.ts";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { absenceOf } from "../core/read_secret.ts";
import { Secret } from "../core/secret.ts";
import { parsePrivateKey, readPrivateKeyFile, readPublicKeyFile, type SigningKey } from "./key_files.ts";
import { makeReleaseSigner } from "./release_signature.ts";
import type { Seal } from "./seal.ts";
import type { TrustedKey } from "./verify_files.ts";

/** The keys that the configuration names. */

/**
 * Returns the signer and the validity of releases.
 *
 * @throws {UsageError} codes `KEY_MISSING`, `KEY_EXPOSED`, `KEY_INVALID`
 */
export function configuredSeal(context: Context, signing: Signing): Seal {
  const key = configuredKey(context, signing);
  return { signer: key === undefined ? undefined : makeReleaseSigner(key), validDays: signing.valid_days };
}

function configuredKey(context: Context, { private_key, private_key_env }: Signing): SigningKey | undefined {
  const pem = private_key_env === undefined ? "" : context.env.get(private_key_env) ?? "";
  // In a one-line variable, as in a .env file, line ends are often written as \n.
  if (pem.trim() !== "") {
    return parsePrivateKey(new Secret(pem.replaceAll("\\n", "\n")), `in ${private_key_env}`);
  }
  if (private_key !== undefined) return readPrivateKeyFile(context.fs, private_key);
  if (private_key_env === undefined) return undefined;
  const problem = absenceOf(context.env, private_key_env);
  throw new UsageError(`Cannot sign: the variable ${private_key_env} ${problem}`, {
    code: "KEY_MISSING",
    hint: `set ${private_key_env} to the private key in PEM, or remove signing.private_key_env`,
  });
}

/**
 * Returns the keys whose signatures a client trusts.
 *
 * @throws {UsageError} codes `KEY_MISSING`, `KEY_INVALID`
 */
export function configuredTrust(context: Context, { public_keys }: Signing): TrustedKey[] {
  return public_keys.map((entry) => {
    const { path, not_before, not_after } = typeof entry === "string" ? { path: entry } : entry;
    return {
      ...readPublicKeyFile(context.fs, path),
      source: path,
      notBefore: dateOf(not_before),
      notAfter: dateOf(not_after),
    };
  });
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
