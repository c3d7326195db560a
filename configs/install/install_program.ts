import { basename, delimiter, dirname, join } from "node:path";
import { clonedCommit } from "../../cli/_version.ts";
import { homeFolder } from "../../lib/core/home_folder.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { findEntry, findText, makeReadableFolder, removeIfThere, removeTree } from "../../lib/core/files.ts";
import { replaceFile } from "../../lib/core/replace_file.ts";
import { listFolder, TemporaryFolder } from "../../lib/core/folders.ts";
import { neverAborted } from "../../lib/core/context.ts";
import { hashFile, sha256Hex } from "../../lib/core/hash.ts";
import { shellWord } from "../../lib/core/quote.ts";
import { bundleProgram, FREQUENT } from "./bundle_program.ts";
import { commandFlags } from "./command_flags.ts";
import { installerCommand } from "./install_options.ts";
import { foldCaches } from "./fold_caches.ts";
import { fetchPackages } from "./fetch_packages.ts";
import {
  findInstallation,
  type Installation,
  isOurLauncher,
  isOwnName,
  lockInstallation,
  missingFolders,
  type Places,
  placesIn,
} from "./installation.ts";
import type { InstallWorld } from "./install_world.ts";
import { wholeLock } from "./program_packages.ts";
import { linkOrCopy } from "./link_or_copy.ts";
import { programStamp } from "./program_stamp.ts";
import { EAGER, shellLauncher, windowsLauncher } from "./launcher.ts";
import { LATER_FILE } from "./merge_chunks.ts";

/** What an install consists of, before anything is written. */
interface Plan {
  readonly places: Places;
  readonly isUpdate: boolean;
  readonly wanted: Installation;
  readonly runtime: string;
  readonly cache: string;
  /** The stamp of the source. */
  readonly stamp: string;
}

/**
 * Installs the launcher, a copy of Deno and the packages, or updates them. A kill or a failure leaves the installation
 * that was there: its launcher is replaced by a rename, after the new one has passed its check.
 *
 * @throws {FailedError} codes `INSTALL_FOREIGN`, `INSTALL_PACKAGES`, `INSTALL_CHECK`
 */
export async function install(world: InstallWorld, prefix: string, isDryRun: boolean): Promise<void> {
  const plan = await planInstall(world, prefix);
  const { places, wanted, runtime, cache } = plan;
  if (isDryRun) {
    world.print(`would ${plan.isUpdate ? "update" : "install"} ${describe(wanted)}`);
    return reportPlaces(world, plan);
  }
  for (const folder of [dirname(places.launcher), places.home]) makeReadableFolder(Deno, folder);
  using _lock = await lockInstallation(places, "install");
  // First, so that after a kill or a failure the next install and uninstall know the created folders.
  replaceFile(Deno, places.record, `${JSON.stringify(wanted, null, 2)}\n`, 0o644);
  await addRuntime(world.execPath, runtime);
  const registry = await fetchPackages(world, runtime, cache);
  const program = await addBundle(world, plan, registry);
  const launcher = launcherText(world, plan, registry, program);
  if (program === undefined) await checkLauncher(world, plan, launcher, program);
  const replaced = findText(Deno, places.launcher) ?? "";
  replaceFile(Deno, places.launcher, launcher, 0o755);
  await removeStale(places, [runtime, cache, ...program === undefined ? [] : [program]], replaced);
  world.print(`${plan.isUpdate ? "updated to" : "installed"} ${describe(wanted)}`);
  reportPlaces(world, plan);
  reportPath(world, places);
}

/** Adds a bundle that passes the check of its launcher. @returns its folder; `undefined` if commands start from source */
async function addBundle(world: InstallWorld, plan: Plan, registry: string): Promise<string | undefined> {
  if (world.os === "windows") return undefined;
  const { places, runtime, cache, stamp } = plan;
  const program = join(places.home, `program-${stamp}`);
  const repair = installerLine(world, places, "install");
  let problem = await bundleProgram(world, { runtime, cache, program, stamp, repair });
  if (problem === undefined) {
    try {
      await checkLauncher(world, plan, launcherText(world, plan, registry, program), program);
      return program;
    } catch (error) {
      if (!(error instanceof FailedError)) throw error;
      await removeTree(Deno, program);
      problem = error.message;
    }
  }
  const [cause] = problem.split("\n");
  world.print(`commands start from source, which takes longer: ${cause}`);
  return undefined;
}

async function planInstall(world: InstallWorld, prefix: string): Promise<Plan> {
  const places = placesIn(prefix, world.os);
  const installed = findInstallation(places);
  const { version } = commandFlags(readClone(world, "deno.json"));
  const commit = commitOf(world.clone);
  const wanted = {
    version,
    ...(commit === undefined ? {} : { commit }),
    deno: world.denoVersion,
    clone: world.clone,
    folders: [...new Set([...missingFolders(places), ...installed?.folders ?? []])],
  };
  const extension = world.os === "windows" ? ".exe" : "";
  // Another Deno and other packages go beside the old ones, which the old launcher needs until it is replaced.
  const contents = await sha256Hex(`${world.denoVersion}\n${wholeLock(world.clone)}`);
  const stamp = await programStamp(world.clone, world.denoVersion);
  return {
    places,
    isUpdate: isOurLauncher(places.launcher),
    wanted,
    runtime: join(places.home, `deno-${world.denoVersion}${extension}`),
    cache: join(places.home, `packages-${contents.slice(0, 12)}`),
    stamp,
  };
}

function readClone({ clone }: InstallWorld, name: string): string {
  return Deno.readTextFileSync(join(clone, name));
}

/** A copy without `.git` has no commit. */
function commitOf(clone: string): string | undefined {
  try {
    return clonedCommit(Deno, clone);
  } catch {
    // The clone has no commit yet.
    return undefined;
  }
}

/** Gives the installation a Deno of its own: npm may clean its cache at any time, and other users may not enter it. */
async function addRuntime(from: string, to: string): Promise<void> {
  if (await hasSameBytes(from, to)) return;
  const scratch = join(dirname(to), "deno-new");
  try {
    linkOrCopy(from, scratch, 0o755);
    Deno.renameSync(scratch, to);
  } finally {
    removeIfThere(Deno, scratch);
  }
}

async function hasSameBytes(file: string, other: string): Promise<boolean> {
  const [info, found] = [Deno.statSync(file), findEntry(Deno, other)];
  if (found?.isFile !== true || found.size !== info.size) return false;
  if (info.ino !== null && found.ino === info.ino && found.dev === info.dev) return true;
  const [digest, ofOther] = await Promise.all(
    [file, other].map((path) => hashFile(Deno, path, { signal: neverAborted() })),
  );
  return digest?.sha256 === ofOther?.sha256;
}

function launcherText(
  world: InstallWorld,
  { places, runtime, cache }: Plan,
  registry: string,
  program: string | undefined,
): string {
  const facts = {
    launcher: places.launcher,
    clone: world.clone,
    runtime,
    cache,
    program,
    registry,
    repair: installerLine(world, places, "install"),
    removal: installerLine(world, places, "uninstall"),
    flags: commandFlags(readClone(world, "deno.json")),
  };
  return world.os === "windows" ? windowsLauncher(facts) : shellLauncher(facts);
}

/** Returns the command line that installs again, or uninstalls. */
function installerLine(
  { denoVersion, env, os }: InstallWorld,
  { prefix }: Places,
  action: "install" | "uninstall",
): string {
  const isDefault = prefix === join(homeFolder(env) ?? "", ".local");
  const word = os === "windows" ? `"${prefix}"` : shellWord(prefix);
  return [
    installerCommand(denoVersion),
    ...(action === "install" ? [] : [action]),
    ...(isDefault ? [] : ["--prefix", word]),
  ].join(" ");
}

/**
 * Runs the new launcher in an empty folder, which also fills Deno's caches of compiled code: a user of a service may not
 * write them.
 */
async function checkLauncher(
  world: InstallWorld,
  plan: Pick<Plan, "places" | "cache" | "runtime">,
  text: string,
  program: string | undefined,
): Promise<void> {
  const { places: { home }, cache } = plan;
  const candidate = join(home, world.os === "windows" ? "launcher-new.cmd" : "launcher-new");
  await using folder = new TemporaryFolder(Deno, "install");
  const check = async (args: readonly string[]) => {
    const { success, stdout, stderr } = await world.run(candidate, args, { cwd: folder.path, env: {} });
    if (success) return;
    throw new FailedError(`Cannot run model-sync ${args.join(" ")}: ${`${stdout}\n${stderr}`.trim()}`, {
      code: "INSTALL_CHECK",
      hint: "the launcher was not replaced; correct what failed, and run the install again",
    });
  };
  try {
    replaceFile(Deno, candidate, text, 0o755);
    const frequent = FREQUENT.map((command) => [command, "--help"]);
    // Twice: on a busy machine, a command may end before Deno has stored its compiled code.
    for (const args of [["--help"], ["doctor"], ...frequent, ...frequent]) await check(args);
    if (program !== undefined) await storeLaterCode(world, plan, program);
    foldCaches(cache);
    // A user who may not write the caches can read them only beside their logs. Deno leaves new ones, which are empty.
    await check(["status", "--help"]);
  } finally {
    removeIfThere(Deno, candidate);
  }
}

/**
 * Fills Deno's cache with the compiled code that frequent commands load later. Otherwise, the first pull would compile it
 * and leave it in the cache's log, which each start reads: for 4 MB, that takes two milliseconds.
 */
async function storeLaterCode(
  world: InstallWorld,
  { cache, runtime }: Pick<Plan, "cache" | "runtime">,
  program: string,
): Promise<void> {
  const { own } = commandFlags(readClone(world, "deno.json"));
  for (const command of FREQUENT) {
    const file = join(program, command, LATER_FILE);
    // Compiled code counts for the same flags of V8 only.
    const args = ["run", "-q", "-A", "--no-config", ...own.get(command) ?? [], EAGER, file];
    await world.run(runtime, args, { cwd: program, env: { DENO_DIR: cache, DENO_NO_UPDATE_CHECK: "1" } });
  }
}

/**
 * Removes the Deno, the packages and the bundles of earlier installs. Those of the replaced launcher stay until the next
 * install: a daemon that it started may still load files of them.
 */
async function removeStale({ home }: Places, current: readonly string[], replaced: string): Promise<void> {
  for (const { name } of listFolder(Deno, home) ?? []) {
    if (!/^(?:deno|packages|program)-/.test(name) || !isOwnName(name)) continue;
    const path = join(home, name);
    if (!current.includes(path) && !replaced.includes(name)) await removeTree(Deno, path);
  }
}

function describe({ version, commit, deno }: Installation): string {
  const at = commit === undefined ? "" : ` (commit ${commit.slice(0, 12)})`;
  return `model-sync ${version}${at} with Deno ${deno}`;
}

function reportPlaces({ print, clone }: InstallWorld, { places }: Plan): void {
  print(`  command     ${places.launcher}`);
  print(`  runs        the clone ${clone}`);
  print(`  Deno, npm   ${places.home}`);
}

/** Says what to do if the command is not found by its name, or if another one is, and what comes next. */
function reportPath({ print, env, os }: InstallWorld, { launcher }: Places): void {
  const bin = dirname(launcher);
  const folders = (env.get("PATH") ?? "").split(delimiter).map((folder) =>
    folder.replace(/(?<=.)[/\\]+$/, "")
  );
  const other = folders.find((folder) => folder !== "" && findEntry(Deno, join(folder, basename(launcher))));
  if (!folders.includes(bin)) {
    print(`${bin} is not on the PATH. ${pathAdvice(bin, env.get("SHELL") ?? "", os)}`);
  } else if (other !== bin) {
    print(`${other} is before ${bin} on the PATH, and has a model-sync of its own.`);
  }
  print("Next, in the folder of your project: model-sync init");
}

/** Returns how to put a folder on the PATH of an operator's shell. */
export function pathAdvice(bin: string, shell: string, os: typeof Deno.build.os): string {
  if (os === "windows") return `Add it to Path in "Edit environment variables for your account".`;
  if (shell.endsWith("fish")) return `Add it: fish_add_path ${shellWord(bin)}`;
  const line = `export PATH=${shellWord(bin)}:"$PATH"`;
  const [file, next] = startFile(shell, os);
  return `Add it, then ${next}: echo ${shellWord(line)} >> ${file}`;
}

/** Returns the file that a shell reads when the next step has been taken. */
function startFile(shell: string, os: typeof Deno.build.os): readonly [file: string, next: string] {
  const inTerminal = "open a new terminal";
  if (shell.endsWith("zsh")) return ["~/.zshrc", inTerminal];
  // Terminals of macOS start login shells. Others do not read ~/.profile.
  if (shell.endsWith("bash")) return [os === "darwin" ? "~/.bash_profile" : "~/.bashrc", inTerminal];
  return ["~/.profile", "log in again"];
}
