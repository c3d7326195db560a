import * as z from "zod";
import { ACTIVATION_SETTINGS } from "../choices.ts";
import { Canary } from "./canary.ts";
import { DOCS } from "./kinds.ts";
import { BACKUP_KEYS, Reload } from "./reload.ts";
import { Validate } from "./validate.ts";

/** The section `activation`. */
export const Activation = z.strictObject({
  mode: z.enum(ACTIVATION_SETTINGS).default("auto").register(DOCS, {
    description:
      "How a release replaces the active one. symlink: the model folder is a link, and one rename replaces it. " +
      "mirror: files are replaced one by one, for mount points and file systems without links. auto: symlink " +
      "where possible, else mirror.",
  }),
  validate: Validate.prefault({}).register(DOCS, {
    description: "Checks before a release is activated. No code of a model is executed.",
  }),
  reload: Reload,
  canary: Canary.prefault({}).register(DOCS, {
    description: "Monitoring of a new release by metrics, with automatic rollback.",
  }),
  ...BACKUP_KEYS,
});
