import type { Log } from "../core/log.ts";
import { quote } from "../core/quote.ts";

/**
 * Files and folders that programs leave beside models: housekeeping files, in whatever case. `.git*` files at a
 * release's root could not be signed either (OpenSSF Model Signing leaves them out).
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

/** Files and folders whose names differ, and folders inside others that hold more than these. */
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
  // What `hf download --local-dir` keeps in the folder that it downloads into
  "\\.cache/huggingface",
];

/** One pattern for all: a set of names takes twenty times as long for 200,000 paths. */
const CLUTTER = new RegExp(
  `(?:^|/)(?:${[...NAMES.map((name) => name.replace(/[.$+]/g, "\\$&")), ...PATTERNS].join("|")})(?:/|$)`,
  "i",
);

/**
 * Whether a path, relative to the models or to what they came in, is a housekeeping file or lies in a folder of them.
 * They are no part of a release, unless its manifest lists them, and no extra files of one.
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

/** As many names as a line of the log holds. */
const NAMES_SHOWN_MAX = 20;

/** Names what was left out, for `--verbose`. @param where the folder or archive that it is in */
export function reportClutter(log: Pick<Log, "debug">, where: string, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const names = paths.slice(0, NAMES_SHOWN_MAX).map(quote).join(", ");
  const more = paths.length > NAMES_SHOWN_MAX ? ` and ${paths.length - NAMES_SHOWN_MAX} more` : "";
  log.debug(`left housekeeping files of ${where} out of the release: ${names}${more}`);
}
