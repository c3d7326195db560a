import { oneLine } from "./quote.ts";

/**
 * Returns the command by which a user takes over files that a run under `sudo` left to root, for hints.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { chownCommand } from "./chown_command.ts";
 * assert.equal(chownCommand("/srv/bot/.model-sync"), 'sudo chown -R "$(id -un)" /srv/bot/.model-sync');
 * assert.equal(chownCommand("/srv/my bot"), `sudo chown -R "$(id -un)" '/srv/my bot'`);
 * ```
 */
export function chownCommand(path: string): string {
  const shown = oneLine(path);
  const word = /^[\w./@:+-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
  return `sudo chown -R "$(id -un)" ${word}`;
}
