import { SOURCE_ROOT } from "../lib/core/source_root.ts";
import { writeLine } from "../lib/core/files.ts";
import { sourceDigest, sourceLine } from "./_source_line.ts";

/**
 * The start of a bundle, which an installation has instead of `main.ts`. Beside it, the installer writes for each command
 * the files of its source. If one of them has changed since, or if there is no list, the command starts from source: a
 * bundle never runs in the place of other code.
 */

const ROOT = decodeURIComponent(new URL(SOURCE_ROOT).pathname);

function readBeside(name: string): string {
  return Deno.readTextFileSync(new URL(`./${name}`, import.meta.url));
}

async function isCurrent(command: string): Promise<boolean> {
  if (!/^[a-z-]+$/.test(command)) return false;
  try {
    for (const line of readBeside(`sources/${command}.txt`).trimEnd().split("\n")) {
      const [digest = "", path = ""] = line.split("\t", 2);
      if (line === `${digest}\t${sourceLine(ROOT, path)}`) continue;
      // After a copy, or a change of mode. Hashing the files at every start would take longer.
      if (digest !== await sourceDigest(ROOT, path)) return false;
    }
    return true;
  } catch {
    // A file is missing, or this user may not read it.
    return false;
  }
}

/** Reports a file of the bundle that the disk or a hand damaged. */
function reportDamage(error: unknown): void {
  const [reason] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
  const again = `To restore it, run in ${ROOT}: ${readBeside("install_again.txt")}`;
  writeLine(Deno.stderr, `model-sync: cannot load its bundle, ${reason}; starting from source. ${again}`);
}

type Main = Pick<typeof import("./main.ts"), "start">;

/** Runs the command line of the process, and ends it. @param loadBundled loads the program of the bundle */
export async function startBundle(loadBundled: () => Promise<Main>): Promise<void> {
  // Not a literal in import(): the bundler would put the source into the bundle once more.
  const source = `${SOURCE_ROOT}cli/main.ts`;
  const { start }: Partial<Main> = await isCurrent(Deno.args[0] ?? "")
    ? await loadBundled().catch(async (error: unknown) => {
      reportDamage(error);
      return await import(source);
    })
    : await import(source);
  // The operator may have checked out a commit whose main.ts starts by itself only.
  if (start === undefined) {
    const again = readBeside("install_again.txt");
    writeLine(
      Deno.stderr,
      `model-sync: this installation cannot start the version in ${ROOT}. To install it, run there: ${again}`,
    );
    Deno.exit(1);
  }
  await start();
}
