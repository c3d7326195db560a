/**
 * Installs the command `model-sync`, which runs this clone, or removes it. The steps are in `install/`.
 *
 *     npx -y deno@2.9.6 -A configs/install.ts --prefix /usr/local
 *     npx -y deno@2.9.6 -A configs/install.ts uninstall
 *
 * `deno task install` does the same, after Deno has installed all of `deno.lock` and listed each download. This file
 * imports no package, so that its start prints nothing, and a failed download of the installer's own packages ends with
 * one line.
 */
import { fileURLToPath } from "node:url";
import { EXIT } from "../lib/core/errors.ts";
import { writeLine } from "../lib/core/files.ts";
import { packagesError } from "./install/packages_error.ts";

// Not a literal in import(): Deno would load the packages before this file runs.
const INSTALLER = new URL("./install/installer.ts", import.meta.url);

async function start(): Promise<number> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "-q", fileURLToPath(INSTALLER)],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  if (!success) {
    const { message, hint } = packagesError(new TextDecoder().decode(stderr));
    writeLine(Deno.stderr, `error: ${message}\nhint: ${hint}`);
    return EXIT.failed;
  }
  const { main }: typeof import("./install/installer.ts") = await import(INSTALLER.href);
  return await main();
}

if (import.meta.main) Deno.exit(await start());
