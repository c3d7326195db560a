import { z } from "zod";
import { DOCS, EnvName } from "./kinds.ts";

/** More keys than any rotation needs at once. */
const KEYS_MAX = 50;

const Path = z.string().min(1);

/** Zod's own word for it, "ISO datetime", does not say how one looks. */
const Time = z.iso.datetime({ offset: true, error: "must be a time such as 2027-01-31T00:00:00Z" });

const PublicKey = z.union([
  Path,
  z.strictObject({
    path: Path,
    not_before: Time.optional(),
    not_after: Time.optional(),
  }),
], { error: "must be a path, or {path, not_before, not_after} with times such as 2027-01-31T00:00:00Z" });

/** How releases are signed, and whose signatures are trusted. */
export const Signing = z.strictObject({
  private_key: Path.optional().register(DOCS, {
    description:
      "The publishing side: the private key (PEM, mode 0600) that publish, hf-upload and train sign with. " +
      "model-sync keys generate makes one.",
    examples: ["/etc/model-sync/signing.pem"],
  }),
  private_key_env: EnvName.optional().register(DOCS, {
    description:
      "The environment variable that holds the private key's PEM. Where it is set, it takes the place of private_key.",
    examples: ["MODEL_SIGNING_KEY"],
  }),
  public_keys: z.array(PublicKey).max(KEYS_MAX).default([]).register(DOCS, {
    description:
      "The pulling side: the public keys whose signatures are trusted. Each is a path, or path with not_before and " +
      "not_after, times by this machine's clock between which it is trusted: give both keys for as long as a rotation takes.",
    examples: [[{ path: "keys/2026.pem", not_after: "2027-01-31T00:00:00Z" }, "keys/2027.pem"]],
  }),
  required: z.boolean().default(false).register(DOCS, {
    description:
      "Refuse every release that no trusted key signed. false: a signature that is there must be right, and one that " +
      "is missing is warned about.",
  }),
  valid_days: z.number().positive().max(3_650).optional().register(DOCS, {
    description:
      "The publishing side: for how many days clients may take a release, and five minutes more, as clocks differ; " +
      "fractions are possible. Publishing again renews it when less than half is left. Default: for ever.",
    examples: [7],
  }),
}).refine(({ required, public_keys }) => !required || public_keys.length > 0, {
  path: ["required"],
  error: "needs public_keys, the keys that are trusted",
});
export type Signing = z.infer<typeof Signing>;
