import { parseDotenv } from "../lib/config/dotenv.ts";
import { CONFIG_BYTES_MAX } from "../lib/config/load.ts";
import type { Environment } from "../lib/core/context.ts";
import { type FileSystem, findText } from "../lib/core/files.ts";
import { SERVICE_VARIABLES, type World } from "./_world.ts";

const DOTENV_FILE = ".env";

/** Returns the variables of the process over those of the `.env` file in the working folder. */
export function readEnvironment(world: Pick<World, "fs" | "variables">): Environment {
  const ofProcess = world.variables();
  const variables = parseDotenv(readDotenv(world.fs));
  for (const [name, value] of Object.entries(ofProcess)) variables.set(name, value);
  const inherited = Array.from(variables).filter(([name]) => !SERVICE_VARIABLES.includes(name));
  return { get: (name) => variables.get(name), toObject: () => Object.fromEntries(inherited) };
}

/** A folder called `.env` is a Python virtual environment, and no mistake. */
function readDotenv(fs: FileSystem): string {
  return isFolder(fs, DOTENV_FILE) ? "" : findText(fs, DOTENV_FILE, CONFIG_BYTES_MAX) ?? "";
}

function isFolder(fs: FileSystem, path: string): boolean {
  try {
    return fs.statSync(path).isDirectory;
  } catch {
    // Reading it says what is wrong.
    return false;
  }
}
