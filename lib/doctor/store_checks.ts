import { dirname } from "node:path";
import { UNREADABLE_HINT } from "../canary/canary_state.ts";
import { canaryFault } from "../canary/find_canary.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError, osErrorCode, RefusedError } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";
import { existingParent } from "../core/folders.ts";
import { absolutePath, findEntry } from "../core/files.ts";
import type { ActivationSetting } from "../config/choices.ts";
import { pullCommand, pullingRole, type Role } from "../config/roles.ts";
import { shortDigest, totalBytes } from "../release/manifest.ts";
import { withdrawnWords } from "../release/withdrawals.ts";
import { isSymlinkUnsupported, namePull, readActive } from "../store/pointers.ts";
import { scanModels } from "../store/adopt.ts";
import { readHistory } from "../store/history.ts";
import { problemSeenByConsumers } from "../store/consumer_view.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { signOfTraining } from "../store/training_signs.ts";
import { readQuarantine } from "../store/quarantine.ts";
import { SPARE_BYTES } from "../store/require_space.ts";
import { findStore, refuseStoreInModels, type Store, type StoreLocation } from "../store/store.ts";
import { listWithdrawn } from "../store/withdrawals.ts";
import { type Check, fail, pass, tried, triedAll, warn } from "./check.ts";
import { probePath, probeWritable } from "./probe_writable.ts";

/** The free space that is wanted without an active release to measure by. */
const FREE_BYTES_MIN = 256 * 1024 * 1024;

/** The tolerance for the last line of the history, which this machine wrote: it cannot be later than now. */
const FUTURE_MS_MAX = 60_000;

/**
 * Checks that the disk can hold another release, and the file system can activate it.
 *
 * @param roles the roles of the machine, which say what its model folder is for
 */
export async function checkStore(
  context: Context,
  location: StoreLocation,
  activation: ActivationSetting,
  roles: readonly Role[] = [],
): Promise<Check[]> {
  return [
    ...await triedAll("store", () => {
      refuseStoreInModels(context.fs, location);
      return [];
    }),
    ...await triedAll("folder", () => checkFolders(context, location, activation)),
    ...await triedAll("models folder", () => checkModelFolder(context, location, roles)),
    await tried("clock", () => checkHistoryClock(context, location)),
    ...await triedAll("records", () => checkRecords(context, location, roles)),
  ];
}

async function checkFolders(
  context: Context,
  location: StoreLocation,
  activation: ActivationSetting,
): Promise<Check[]> {
  const parent = existingParent(context.fs, dirname(absolutePath(context.fs, location.modelsDir)));
  const stateParent = existingParent(context.fs, absolutePath(context.fs, location.stateDir ?? parent));
  const writable = checkWritable(context, parent);
  return [
    writable,
    await tried("disk space", () => checkSpace(context, location, stateParent)),
    await tried("file system", () => checkSameFileSystem(context, parent, stateParent, activation)),
    checkSymlinks(context, parent, writable),
  ];
}

function checkWritable({ fs }: Context, folder: string): Check {
  const reason = probeWritable(fs, folder);
  if (reason === undefined) return pass("folder", `${folder} is writable`);
  return fail(
    "folder",
    `${folder} is not writable: ${reason}`,
    "run as its owner, or set model_sync.models_dir",
  );
}

async function checkSpace(context: Context, location: StoreLocation, folder: string): Promise<Check> {
  const free = await context.freeBytes(folder);
  if (free === undefined) {
    return warn("disk space", "free space is unknown on this system", "check it with `df -h`");
  }
  const store = findStore(context.fs, location);
  const active = store === undefined ? undefined : readActive(store);
  // The next release may share no file with the active one, and needs space in the clone, too.
  const wanted = Math.max(
    FREE_BYTES_MIN,
    2 * totalBytes(active?.kind === "whole" ? active.manifest.files : []),
  );
  if (free < SPARE_BYTES) {
    return fail(
      "disk space",
      `${formatBytes(free)} free, and a pull keeps ${formatBytes(SPARE_BYTES)} spare`,
      "free some space, or run model-sync prune",
    );
  }
  const text = `${formatBytes(free)} free`;
  if (free >= wanted) return pass("disk space", text);
  return warn(
    "disk space",
    `${text}, the next release may need ${formatBytes(wanted)}`,
    "free some space, or run model-sync prune",
  );
}

function checkSameFileSystem(
  context: Context,
  parent: string,
  stateParent: string,
  activation: ActivationSetting,
): Check {
  if (context.fs.statSync(parent).dev === context.fs.statSync(stateParent).dev) {
    return pass("file system", "the store and the model folder are on the same one");
  }
  if (activation === "mirror") {
    return pass("file system", "the store is on another one than the model folder: files are mirrored");
  }
  const hint = "set model_sync.state_dir to a path beside the model folder, or activation.mode to mirror";
  return fail("file system", "the store is on another one than the model folder", hint);
}

function checkSymlinks(context: Context, parent: string, writable: Check): Check {
  const untried = (why: string) =>
    warn("links", `symbolic links cannot be tried in ${parent} (${why})`, `make ${parent} writable`);
  const probe = probePath(parent);
  try {
    context.fs.symlinkSync("target", probe);
    context.fs.removeSync(probe);
    return pass("links", "symbolic links work: one rename activates a release");
  } catch (error) {
    // A folder in which nothing may be created refuses links with the same error.
    if (isSymlinkUnsupported(error) && writable.status === "pass") {
      return warn(
        "links",
        "symbolic links do not work here",
        "nothing: activation.mode mirror is used, which replaces files one by one",
      );
    }
    // A full or read-only disk does not show whether links work.
    const code = osErrorCode(error);
    if (code === undefined) throw error;
    return untried(code);
  }
}

function checkModelFolder(context: Context, location: StoreLocation, roles: readonly Role[]): Check[] {
  const store = findStore(context.fs, location);
  const isForPulls = roles.length === 0 || pullingRole(roles) !== undefined;
  if (store === undefined) {
    const modelsDir = absolutePath(context.fs, location.modelsDir);
    return [isForPulls ? checkUnmanaged(context, modelsDir) : checkUnpulled(context, modelsDir, roles)];
  }
  const folder = inspectModelFolder(store);
  const active = readActive(store);
  if (active.kind === "damaged") {
    return [
      fail("active release", active.error.message, namePull(active.error.hint ?? "", pullCommand(roles))),
    ];
  }
  const sign = signOfTraining(store);
  const unseen = active.kind === "none" ? undefined : problemSeenByConsumers(store, active.manifest);
  if ((folder.kind === "linked" || folder.kind === "folder") && unseen !== undefined) {
    const detail = `${store.modelsDir} ${unseen}`;
    // Trainings or people may write into a real folder; the next pull repairs it.
    const hint = sign === undefined ? "the next pull repairs it" : trainedHint(sign);
    return [(folder.kind === "linked" ? fail : warn)("models folder", detail, hint)];
  }
  switch (folder.kind) {
    case "linked":
      return [pass("models folder", "a link to the active release")];
    case "folder":
      return [
        pass(
          "models folder",
          folder.isMountPoint ? "a mount point: files are mirrored into it" : "a real folder",
        ),
      ];
    case "missing":
      if (!isForPulls && sign === undefined) return [checkUnpulled(context, store.modelsDir, roles)];
      return [
        warn(
          "models folder",
          "missing",
          sign === undefined ? "the next pull creates it" : trainedHint(sign),
        ),
      ];
    case "foreign-link":
      return [
        fail(
          "models folder",
          `a link to ${folder.target}, which model-sync did not create`,
          "remove it, or set model_sync.models_dir",
        ),
      ];
    case "other":
      return [fail("models folder", "not a folder", "move it away")];
  }
}

/** Returns the hint for a trainer, where a pull would replace the trained models. */
function trainedHint(sign: string): string {
  return `this machine trains into it (${sign}): train and publish, or pull into another folder`;
}

/** Checks what a first pull would do with an existing folder. */
function checkUnmanaged({ fs }: Context, modelsDir: string): Check {
  const entry = findEntry(fs, modelsDir);
  if (entry === undefined) return pass("models folder", "the first pull creates it");
  const present = entry.isDirectory ? scanModels({ fs, modelsDir }) : undefined;
  if (present instanceof RefusedError) {
    return warn(
      "models folder",
      `not managed yet; a first pull cannot keep it as a release: ${present.message}`,
      "rename, remove or replace it, so that a rollback can restore the rest",
    );
  }
  return pass("models folder", "not managed yet; a first pull keeps it as a release");
}

/** Returns what the model folder is for on a machine that pulls no models. */
function checkUnpulled({ fs }: Context, modelsDir: string, roles: readonly Role[]): Check {
  if (!roles.includes("publisher")) return pass("models folder", "not needed: this machine pulls no models");
  return findEntry(fs, modelsDir) === undefined
    ? pass("models folder", "missing until models are trained into it; a publish sends its files")
    : pass("models folder", "not managed: a publish sends its files");
}

function checkHistoryClock(context: Context, location: StoreLocation): Check {
  const store = findStore(context.fs, location);
  const [last] = store === undefined ? [] : readHistory(store, 1);
  const now = context.clock.now();
  if (last === undefined) return pass("clock", `${isoSeconds(now)}; there is no run to compare it with`);
  if (Date.parse(last.startedAt) - now.getTime() <= FUTURE_MS_MAX) {
    return pass("clock", `${isoSeconds(now)}, after the last run`);
  }
  const detail = `${isoSeconds(now)}, but the last run was at ${last.startedAt}`;
  return warn("clock", detail, "synchronise it: timedatectl set-ntp true");
}

/** Checks the records that a pull depends on. Returns nothing where all of them can be read. */
function checkRecords(context: Context, location: StoreLocation, roles: readonly Role[]): Check[] {
  const store = findStore(context.fs, location);
  if (store === undefined) return [];
  const fault = canaryFault(store);
  return [
    ...(fault === undefined
      ? []
      : [fail("canary", `${fault}: the active release has no canary`, UNREADABLE_HINT)]),
    ...checkQuarantine(store),
    ...checkWithdrawals(store, roles),
  ];
}

/** Checks that the active release is not withdrawn. */
function checkWithdrawals(store: Store, roles: readonly Role[]): Check[] {
  try {
    const active = readActive(store);
    const digest = active.kind === "whole" ? active.manifest.digest : undefined;
    const entry = listWithdrawn(store).find((one) => one.digest === digest);
    if (entry === undefined) return [];
    const text = `the active release ${shortDigest(entry.digest)} was withdrawn ${withdrawnWords(entry)}`;
    return [
      entry.isOverridden === true
        ? warn("withdrawal", text, "it was activated by force; to end that: model-sync rollback")
        : fail(
          "withdrawal",
          text,
          `${pullCommand(roles)} rolls back from it; if it cannot, publish a newer release`,
        ),
    ];
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    return [fail("withdrawal", error.message, error.hint ?? "fix it and run again")];
  }
}

function checkQuarantine(store: Store): Check[] {
  try {
    readQuarantine(store);
    return [];
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    return [fail("quarantine", error.message, error.hint ?? "fix it and run again")];
  }
}
