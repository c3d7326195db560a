import { isAbsolute, join, relative, sep } from "node:path";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { absolutePath, findEntry } from "../core/files.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import { OwnFolders } from "./own_folders.ts";

export interface BackupOptions {
  /** `activation.backup_dir`. */
  readonly backupDir: string;
  /** `activation.keep`: the number of backups to keep. */
  readonly keep: number;
  /** The active release, before it is replaced: its folder in the store, and its files. */
  readonly releaseDir: string;
  readonly files: readonly Pick<ReleaseFile, "path">[];
  /** The model folder. Backups must not be inside it. */
  readonly modelsDir: string;
}

const BACKUP_NAME = /^\d{8}_\d{6}(?:_\d{1,2})?$/;

/** The most backups of one second. */
const SAME_SECOND_MAX = 99;

/**
 * Backs up the active release before it is replaced, into a folder named by the time in UTC (`20250108_143022`), and
 * removes the oldest backups. Uses hard links, or copies where the file system has none. Needs read and write permission.
 *
 * @returns the new folder
 * @throws {UsageError} code `BACKUP_IN_MODELS`; {@link DiskError}
 */
export async function backupActive(context: Context, options: BackupOptions): Promise<string> {
  const { keep, releaseDir, files, modelsDir } = options;
  const root = absolutePath(context.fs, options.backupDir);
  refuseBackupInModels(root, absolutePath(context.fs, modelsDir));
  const backups = new OwnFolders(context, root, BACKUP_NAME);
  const placed = files.map(({ path }) => ({ source: join(releaseDir, path), path }));
  const backup = await backups.add(freeName(context, root), placed);
  context.log.info(`[MODEL-RELOAD] Backup created: ${backup}`);
  await backups.keepNewest(keep);
  return backup;
}

/**
 * Refuses a backup folder inside the model folder: its backups would be lost with the replaced release, or be published
 * with the models. Both paths are absolute.
 *
 * @throws {UsageError} code `BACKUP_IN_MODELS`
 */
export function refuseBackupInModels(backupDir: string, modelsDir: string): void {
  const path = relative(modelsDir, backupDir);
  if (path.split(sep)[0] === ".." || isAbsolute(path)) return;
  throw new UsageError(`Cannot keep backups in ${backupDir}: that is inside the model folder ${modelsDir}`, {
    code: "BACKUP_IN_MODELS",
    hint: "set activation.backup_dir to a folder beside it",
  });
}

function freeName({ fs, clock }: Context, root: string): string {
  const time = clock.now().toISOString().replace(/\..*/, "").replaceAll(/[-:]/g, "").replace("T", "_");
  for (let count = 1; count <= SAME_SECOND_MAX; count++) {
    const name = count === 1 ? time : `${time}_${count}`;
    if (findEntry(fs, join(root, name)) === undefined) return name;
  }
  throw new UsageError(`Cannot keep a backup: ${root} has ${SAME_SECOND_MAX} of ${time} already`, {
    code: "BACKUPS_EXHAUSTED",
    hint: "check that the clock of this machine is right",
  });
}
