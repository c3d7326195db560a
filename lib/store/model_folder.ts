import { dirname, join, relative } from "node:path";
import { DiskError, osErrorCode, UsageError } from "../core/errors.ts";
import { existingParent } from "../core/folders.ts";
import { findEntry, ifFound } from "../core/files.ts";
import type { ActivationMode, ActivationSetting } from "../config/choices.ts";
import { supportsSymlinks } from "./pointers.ts";
import type { ModelPlace, Store } from "./store.ts";

/** The kind of entry at the path of the model folder. */
export type ModelFolder =
  | { readonly kind: "missing" }
  /** This store's link to `current`. */
  | { readonly kind: "linked" }
  | { readonly kind: "foreign-link"; readonly target: string }
  | { readonly kind: "folder"; readonly isEmpty: boolean; readonly isMountPoint: boolean }
  | { readonly kind: "other" };

/** The activation mode of a run, and why it is used. */
export interface ModeChoice {
  readonly mode: ActivationMode;
  readonly reason: string;
  /** The operator agreed that a folder that this machine trains into is replaced. */
  readonly adopts?: boolean;
}

/** Returns what is at the path of the model folder, without following a link. */
export function inspectModelFolder(place: ModelPlace): ModelFolder {
  const { fs, modelsDir } = place;
  const entry = findEntry(fs, modelsDir);
  if (entry === undefined) return { kind: "missing" };
  if (entry.isSymlink) {
    const target = fs.readLinkSync(modelsDir);
    return target === modelsLinkTarget(place) ? { kind: "linked" } : { kind: "foreign-link", target };
  }
  if (!entry.isDirectory) return { kind: "other" };
  return {
    kind: "folder",
    isEmpty: Array.from(fs.readDirSync(modelsDir)).length === 0,
    isMountPoint: entry.dev !== fs.statSync(dirname(modelsDir)).dev,
  };
}

/** Returns the target of the model folder's link: relative, so that folder and store can be moved together. */
export function modelsLinkTarget({ modelsDir, root }: ModelPlace): string {
  return relative(dirname(modelsDir), join(root, "current"));
}

/**
 * Returns the activation mode: one rename of a link, or file by file.
 *
 * @throws {UsageError} code `MODELS_DIR_UNFIT`: the model folder is a foreign link or not a folder
 * @throws {DiskError} code `OTHER_FILE_SYSTEM`: the store cannot serve this folder
 */
export function chooseMode(store: Store, setting: ActivationSetting): ModeChoice {
  return decideMode(store, setting, symlinkObstacle);
}

function decideMode<Place extends ModelPlace>(
  place: Place,
  setting: ActivationSetting,
  findObstacle: (place: Place, folder: ModelFolder) => Obstacle | undefined,
): ModeChoice {
  const folder = inspectModelFolder(place);
  refuseUnusable(place, folder, setting);
  if (setting === "mirror") return { mode: "mirror", reason: "activation.mode is mirror" };
  const obstacle = findObstacle(place, folder);
  if (obstacle === undefined) {
    return { mode: "symlink", reason: setting === "auto" ? "links work here" : "activation.mode is symlink" };
  }
  if (setting === "auto" && obstacle.mirrorHelps) return { mode: "mirror", reason: obstacle.problem };
  throw new DiskError(`Cannot activate in ${place.modelsDir} by a link: ${obstacle.problem}`, {
    code: "OTHER_FILE_SYSTEM",
    hint: obstacle.hint,
  });
}

/**
 * As {@link chooseMode}, for a plan, which writes nothing: whether links work shows only when one is created.
 *
 * @throws what {@link chooseMode} throws
 */
export function planMode(place: ModelPlace, setting: ActivationSetting): ActivationMode {
  return decideMode(place, setting, plannedObstacle).mode;
}

interface Obstacle {
  readonly problem: string;
  readonly mirrorHelps: boolean;
  readonly hint: string;
}

function symlinkObstacle(store: Store, folder: ModelFolder): Obstacle | undefined {
  const obstacle = plannedObstacle(store, folder);
  // An existing link shows that links work. Files must never be mirrored through it into a release.
  if (obstacle !== undefined || folder.kind === "linked") return obstacle;
  if (!supportsSymlinks(store)) return mirrorInstead("the file system or this user cannot make links");
  if (folder.kind !== "folder") return undefined;
  const refusal = codeOfMove(store);
  // A bind mount from the same file system has the device of the folder above it.
  if (refusal === "EBUSY") return mirrorInstead(MOUNT_POINT);
  // An empty folder is removed, which works.
  if (refusal === "EXDEV" && !folder.isEmpty) {
    return mirrorInstead("it is in a layer of an image, where folders cannot be moved");
  }
  return undefined;
}

const MOUNT_POINT = "it is a mount point, which nothing can replace";

function mirrorInstead(problem: string): Obstacle {
  return {
    problem,
    mirrorHelps: true,
    hint: "set model_sync.activation.mode to mirror, which replaces files one by one",
  };
}

/**
 * Returns the error of the system for moving the model folder. It refuses to move a mount point with EBUSY, and overlay
 * file systems refuse it with EXDEV for folders of a lower layer, which an image brings. A rename onto a folder with
 * content changes nothing, and shows these errors first.
 */
function codeOfMove({ fs, modelsDir, staging }: Store): string | undefined {
  if (Deno.build.os === "windows") return undefined;
  const occupied = join(staging, ".rename-probe");
  fs.mkdirSync(join(occupied, "entry"), { recursive: true });
  try {
    fs.renameSync(modelsDir, occupied);
    // POSIX forbids that this succeeds.
    fs.renameSync(occupied, modelsDir);
    return undefined;
  } catch (error) {
    return osErrorCode(error);
  } finally {
    ifFound(() => fs.removeSync(occupied, { recursive: true }));
  }
}

/** Returns the obstacle that can be found without writing. */
function plannedObstacle({ fs, modelsDir, root }: ModelPlace, folder: ModelFolder): Obstacle | undefined {
  if (folder.kind === "folder" && folder.isMountPoint) {
    return mirrorInstead(MOUNT_POINT);
  }
  const deviceOf = (path: string) => fs.statSync(existingParent(fs, path)).dev;
  if (deviceOf(root) !== deviceOf(dirname(modelsDir))) {
    return {
      problem: `the store ${root} is on another file system`,
      mirrorHelps: false,
      hint:
        "put model_sync.state_dir beside the model folder, or set model_sync.activation.mode to mirror, which replaces " +
        "files one by one",
    };
  }
  return undefined;
}

function refuseUnusable(
  { modelsDir }: ModelPlace,
  folder: ModelFolder,
  setting: ActivationSetting,
): void {
  if (folder.kind === "other") {
    throw new UsageError(`Cannot use ${modelsDir} as the model folder: it is not a folder`, {
      code: "MODELS_DIR_UNFIT",
      hint: "move it away, or set model_sync.models_dir to another path",
    });
  }
  if (folder.kind === "foreign-link") {
    throw new UsageError(
      `Cannot use ${modelsDir} as the model folder: it is a link to ${folder.target}, which model-sync did not create`,
      {
        code: "MODELS_DIR_UNFIT",
        hint: "remove the link, or set model_sync.models_dir to the folder that it leads to",
      },
    );
  }
  if (folder.kind === "linked" && setting === "mirror") {
    throw new UsageError(`Cannot mirror into ${modelsDir}: it is the link that symlink mode made`, {
      code: "MODELS_DIR_UNFIT",
      hint: `stop the consumers, remove the link (rm ${modelsDir}) and run again`,
    });
  }
}
