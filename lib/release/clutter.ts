import type { Log } from "../core/log.ts";
import { quote } from "../core/quote.ts";

/**
 * Housekeeping files that programs leave beside models, in upper or lower case. `.git*` files at the root of a release
 * could not be signed either: OpenSSF Model Signing ignores them.
 */
const NAMES = [
  // git
  ".gitignore",
  ".gitattributes",
  ".gitkeep",
  // macOS
  ".ds_store",
  ".apdisk",
  ".appledb",
  ".appledesktop",
  ".appledouble",
  ".documentrevisions-v100",
  ".fseventsd",
  ".localized",
  ".lsoverride",
  ".spotlight-v100",
  ".temporaryitems",
  ".trashes",
  ".volumeicon.icns",
  "__macosx",
  "icon\r",
  "network trash folder",
  "temporary items",
  // Windows
  "$recycle.bin",
  "desktop.ini",
  "ehthumbs.db",
  "system volume information",
  "thumbs.db",
  // The root of every ext4 volume, closed to all but root; KDE; Synology
  "lost+found",
  ".directory",
  "@eadir",
  // Python, Jupyter
  "__pycache__",
  ".ipynb_checkpoints",
  ".mypy_cache",
  ".pytest_cache",
  ".ruff_cache",
  // IntelliJ, Visual Studio Code
  ".idea",
  ".vscode",
  // huggingface_hub before 0.25, in the folder that it downloads into
  ".huggingface",
];

/** Housekeeping files with varying names, and folders in folders that also hold other files. */
const PATTERNS = [
  // AppleDouble files of macOS
  "\\._[^/]*",
  // Files that were deleted while they were open, on NFS and FUSE
  "\\.nfs[0-9a-f]{8,}",
  "\\.fuse_hidden[0-9a-f]+",
  // Swap files of vim
  "\\.[^/]*\\.sw[a-p]",
  // A volume's bin on Linux
  "\\.trash-\\d+",
  // Written by `hf download --local-dir` into the download folder
  "\\.cache/huggingface",
];

/** One pattern for all names: a set of names is twenty times as slow for 200,000 paths. */
const CLUTTER = new RegExp(
  `(?:^|/)(?:${[...NAMES.map((name) => name.replace(/[.$+]/g, "\\$&")), ...PATTERNS].join("|")})(?:/|$)`,
  "i",
);

/**
 * Returns whether a path is a housekeeping file or in a folder of them. The path is relative to the models or to their
 * archive. Housekeeping files belong to a release only if its manifest lists them, and are never extra files.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isClutter } from "./clutter.ts";
 * assert.ok(isClutter("BTC/.DS_Store"));
 * assert.ok(isClutter("BTC/__pycache__/features.cpython-313.pyc"));
 * assert.ok(!isClutter("BTC/rf.joblib"));
 * ```
 */
export function isClutter(path: string): boolean {
  return CLUTTER.test(path);
}

/** The most names in a log line. */
const NAMES_SHOWN_MAX = 20;

/** Logs the housekeeping files that are left out, for `--verbose`. @param where their folder or archive */
export function reportClutter(log: Pick<Log, "debug">, where: string, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const names = paths.slice(0, NAMES_SHOWN_MAX).map(quote).join(", ");
  const more = paths.length > NAMES_SHOWN_MAX ? ` and ${paths.length - NAMES_SHOWN_MAX} more` : "";
  log.debug(`left housekeeping files of ${where} out of the release: ${names}${more}`);
}
