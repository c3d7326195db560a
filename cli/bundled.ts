import { SOURCE_ROOT } from "../lib/core/source_root.ts";
import { sourceLine } from "./_source_line.ts";

/**
 * The entry point of the bundle that an installation starts, instead of `main.ts`. Beside it, the installer writes for
 * each command the files of its source. If one of them has changed since, or if there is no list, the command starts
 * from source: a bundle never runs in the place of other code.
 */

function isCurrent(command: string): boolean {
  if (!/^[a-z-]+$/.test(command)) return false;
  const root = decodeURIComponent(new URL(SOURCE_ROOT).pathname);
  try {
    const lines = Deno.readTextFileSync(new URL(`./sources/${command}.txt`, import.meta.url)).split("\n");
    return lines.every((line) => line === "" || line === sourceLine(root, line.slice(0, line.indexOf("\t"))));
  } catch {
    // A file is missing, or this user may not read it.
    return false;
  }
}

// Not a literal in import(): the bundler would put the source into the bundle once more.
const source = `${SOURCE_ROOT}cli/main.ts`;
const { start }: typeof import("./main.ts") = isCurrent(Deno.args[0] ?? "")
  ? await import("./main.ts")
  : await import(source);
await start();
