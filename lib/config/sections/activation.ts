import { z } from "zod";
import { ACTIVATION_SETTINGS } from "../../core/settings.ts";
import { Canary } from "./canary.ts";
import { DOCS } from "./kinds.ts";
import { BACKUP_KEYS, Reload } from "./reload.ts";
import { Validate } from "./validate.ts";

/** How a release becomes the one that consumers see, and what has to be right before and after. */
export const Activation = z.strictObject({
  mode: z.enum(ACTIVATION_SETTINGS).default("auto").register(DOCS, {
    description:
      "How a release becomes the one that consumers see. symlink: models is a link, replaced by one rename. mirror: files " +
      "are replaced one by one, for a mount point or a file system without links. auto: symlink wherever it works.",
  }),
  validate: Validate.prefault({}).register(DOCS, {
    description: "What is looked at before a release is activated. Nothing of a model is executed.",
  }),
  reload: Reload,
  canary: Canary.prefault({}).register(DOCS, {
    description: "How a new release is watched, and what brings the one before back.",
  }),
  ...BACKUP_KEYS,
});
