import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { APPSETTINGS_FILE } from "../lib/config/appsettings.ts";
import { parseDotenv } from "../lib/config/dotenv.ts";
import { CONFIG_BYTES_MAX, type Started } from "../lib/config/load.ts";
import { PATH_VARIABLES } from "../lib/config/path_variables.ts";
import { readYamlSection } from "../lib/config/yaml_section.ts";
import type { Environment } from "../lib/core/context.ts";
import { UsageError } from "../lib/core/errors.ts";
import { type FileSystem, findText, ifFound } from "../lib/core/files.ts";
import { isBelowHome } from "../lib/core/home_folder.ts";
import { isOwnVariable } from "../lib/core/launcher_variables.ts";
import { pathFrom } from "../lib/core/local_path.ts";
import type { Log } from "../lib/core/log.ts";
import { STATE_DIR_NAME } from "../lib/store/state_entries.ts";
import { type CommonFlags, DEFAULT_CONFIG_FILE } from "./_options.ts";
import { SERVICE_VARIABLES, type World } from "./_world.ts";

/** A command's project: the folder in which the paths of its configuration start, and whose `.env` it reads. */
export interface Project {
  /** Its working directory is the project. */
  readonly world: World;
  readonly env: Environment;
  /** The start of the command, if it was in another folder than the project. */
  readonly started: Started | undefined;
}

/** The folder for configuration files in a project. */
const CONFIG_FOLDER = "configs";

/**
 * Enters the project of a command, so that a command with `--config` does the same from every folder. The project is
 * the folder above `configs/` with the configuration file, else the file's own folder. Without `--config`, it is the
 * working directory.
 *
 * @param variables those of the process
 */
export function enterProject(
  world: World,
  variables: Readonly<Record<string, string>>,
  flags: CommonFlags,
  log: Log,
): Project {
  const here = () => ({ world, env: withDotenv(variables, world.fs), started: undefined });
  if (flags.config === undefined) return here();
  const folder = world.fs.cwd();
  const project = isRegularFile(world.fs, resolve(folder, flags.config))
    ? projectOf(folder, flags.config)
    : folder;
  if (project === folder || ownsStore(world.fs, { folder, project }, variables, flags, log)) return here();
  const entered = enter(world, project);
  return {
    world: entered,
    env: withDotenv(placed(variables, folder), entered.fs),
    started: { folder, variables },
  };
}

/** Only a regular file has a project: `--config /dev/null` means no file. */
function isRegularFile(fs: FileSystem, path: string): boolean {
  return found(fs, path)?.isFile === true;
}

/** Returns the project of a configuration file, whose path starts at the folder. */
export function projectOf(folder: string, config: string): string {
  const parent = dirname(resolve(folder, config));
  return basename(parent) === CONFIG_FOLDER ? dirname(parent) : parent;
}

function enter(world: World, project: string): World {
  try {
    return world.enter(project);
  } catch (cause) {
    throw new UsageError(`Cannot enter ${project}, the folder of the configuration file`, {
      code: "PROJECT_CLOSED",
      cause,
      hint: "allow this user to enter the folder",
    });
  }
}

/**
 * Returns whether the working directory holds the store or the clone that an earlier version made for a file elsewhere:
 * relative paths of every file started at the working directory then. The command continues there instead of creating
 * a second one. A folder with its own configuration keeps its store for itself.
 */
function ownsStore(
  fs: FileSystem,
  { folder, project }: { readonly folder: string; readonly project: string },
  variables: Readonly<Record<string, string>>,
  flags: CommonFlags,
  log: Log,
): boolean {
  const { config = "" } = flags;
  if ([DEFAULT_CONFIG_FILE, APPSETTINGS_FILE].some((file) => found(fs, join(folder, file)))) return false;
  const paths = relativePaths(settingsOf(fs, resolve(folder, config), flags, variables));
  const [first] = paths.filter((path) => found(fs, join(folder, path))?.isDirectory);
  if (first === undefined || paths.some((path) => found(fs, join(project, path)))) return false;
  log.warn(
    `The relative paths of ${config} start at ${folder}, which has ${first}, and not at ${project}, the folder of the ` +
      "file; to keep it so, write absolute paths into the file, models_dir too",
  );
  return true;
}

/** The settings of folders that a run keeps between runs. */
const KEPT = ["models_dir", "state_dir", "repo_dir"];

/** Returns the kept folders, as the file, an option or a variable names them. */
function settingsOf(
  fs: FileSystem,
  file: string,
  { modelsDir, stateDir }: CommonFlags,
  variables: Readonly<Record<string, string>>,
): Map<string, string> {
  const named = new Map([["models_dir", "models"]]);
  try {
    const text = findText(fs, file, CONFIG_BYTES_MAX) ?? "";
    for (const { path, value } of readYamlSection(file, text, "model_sync")) {
      if (KEPT.includes(path.join("."))) named.set(path.join("."), String(value));
    }
  } catch {
    // The loader reports what is wrong with the file.
  }
  // Options and variables have always started at the working directory: the file's paths do not count then.
  const isNamed = (flag: string | undefined, variable: string) => Boolean(flag ?? variables[variable]);
  if (isNamed(modelsDir, "MODEL_SYNC_MODELS_DIR")) named.set("models_dir", "/");
  if (isNamed(stateDir, "MODEL_SYNC_STATE_DIR")) named.set("state_dir", "/");
  return named;
}

/** Returns the relative ones among the store, or the model folder of a store elsewhere, and the clone. */
function relativePaths(named: ReadonlyMap<string, string>): string[] {
  const models = named.get("models_dir") ?? "models";
  const store = named.get("state_dir") ?? join(dirname(models), STATE_DIR_NAME);
  const isRelative = (path: string) => path !== "" && !isAbsolute(path) && !isBelowHome(path);
  return [isRelative(store) ? store : models, named.get("repo_dir") ?? ""].filter(isRelative);
}

function found(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return ifFound(() => fs.statSync(path));
  } catch {
    // What reads the path next reports the fault.
    return undefined;
  }
}

/** Returns the variables with the paths that this program reads made absolute. */
function placed(variables: Readonly<Record<string, string>>, folder: string): Record<string, string> {
  const paths = PATH_VARIABLES.flatMap((name) => {
    const path = variables[name]?.trim();
    return path === undefined ? [] : [[name, pathFrom(folder, path)]];
  });
  return { ...variables, ...Object.fromEntries(paths) };
}

const DOTENV_FILE = ".env";

/** Returns the variables of the process over those of the project's `.env`. */
function withDotenv(ofProcess: Readonly<Record<string, string>>, fs: FileSystem): Environment {
  const variables = parseDotenv(readDotenv(fs));
  for (const [name, value] of Object.entries(ofProcess)) variables.set(name, value);
  const inherited = Array.from(variables).filter(([name]) =>
    !SERVICE_VARIABLES.includes(name) && !isOwnVariable(name)
  );
  return { get: (name) => variables.get(name), toObject: () => Object.fromEntries(inherited) };
}

/** A folder named `.env` is a Python virtual environment and is ignored. */
function readDotenv(fs: FileSystem): string {
  return found(fs, DOTENV_FILE)?.isDirectory === true
    ? ""
    : findText(fs, DOTENV_FILE, CONFIG_BYTES_MAX) ?? "";
}
