import * as z from "zod";
import { DOCS, EnvName, LocalPath } from "./kinds.ts";

/** More keys than any rotation needs. */
const KEYS_MAX = 50;

/** The error shows an example, because Zod's own message only says "ISO datetime". */
const Time = z.iso.datetime({ offset: true, error: "must be a time such as 2027-01-31T00:00:00Z" });

const PublicKey = z.union([
  LocalPath,
  z.strictObject({
    path: LocalPath,
    not_before: Time.optional(),
    not_after: Time.optional(),
  }),
], { error: "must be a path, or {path, not_before, not_after} with times such as 2027-01-31T00:00:00Z" });

/** The section `signing`: the key to sign with, and the keys whose signatures are trusted. */
export const Signing = z.strictObject({
  private_key: LocalPath.optional().register(DOCS, {
    description:
      "On the publisher: the private key (PEM, mode 0600) that publish, hf-upload and train sign with. Create " +
      "one with model-sync keys generate.",
    examples: ["/etc/model-sync/signing.pem"],
  }),
  private_key_env: EnvName.optional().register(DOCS, {
    description:
      "The environment variable with the private key's PEM. If it is set, it replaces private_key.",
    examples: ["MODEL_SIGNING_KEY"],
  }),
  public_keys: z.array(PublicKey).max(KEYS_MAX).default([]).register(DOCS, {
    description:
      "On the consumer: the public keys whose signatures are trusted. Each is a path, or path with not_before " +
      "and not_after, times by this machine's clock. During a rotation, list both keys.",
    examples: [[{ path: "keys/2026.pem", not_after: "2027-01-31T00:00:00Z" }, "keys/2027.pem"]],
  }),
  required: z.boolean().default(false).register(DOCS, {
    description:
      "Refuse every release without a signature by a trusted key. false: refuse wrong signatures, and warn about " +
      "missing ones.",
  }),
  valid_days: z.number().positive().max(3_650).optional().register(DOCS, {
    description:
      "On the publisher: for how many days consumers accept a release; fractions are allowed. Expiry allows five " +
      "minutes of clock skew. Publishing again renews a release with less than half of its time left. Default: " +
      "no expiry.",
    examples: [7],
  }),
}).refine(({ required, public_keys }) => !required || public_keys.length > 0, {
  path: ["required"],
  error: "needs public_keys, the trusted keys",
});
export type Signing = z.infer<typeof Signing>;
