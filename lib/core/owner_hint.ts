import { oneLine } from "./quote.ts";

/**
 * Returns the advice for files that another user owns, most often root after a run under `sudo`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { ownerHint } from "./owner_hint.ts";
 * const hint = "run as the user that owns it; after a run under sudo: sudo chown -R \"$(id -un)\" ";
 * assert.equal(ownerHint("/srv/bot/.model-sync"), `${hint}/srv/bot/.model-sync`);
 * assert.equal(ownerHint("/srv/my bot"), `${hint}'/srv/my bot'`);
 * ```
 */
export function ownerHint(path: string): string {
  const shown = oneLine(path);
  const word = /^[\w./@:+-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
  return `run as the user that owns it; after a run under sudo: sudo chown -R "$(id -un)" ${word}`;
}
