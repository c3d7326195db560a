import { join } from "node:path";
import type { FileSystem } from "../core/files.ts";
import { oneLine } from "../core/quote.ts";

/** How each path below a folder was: enough to see that it was changed by somebody who does not hide it. */
export type TreeSnapshot = ReadonlyMap<string, string>;

/** Looks at everything below a folder. Needs read permission. */
export function snapshotTree(fs: FileSystem, root: string): TreeSnapshot {
  const entries = new Map<string, string>();
  const visit = (folder: string, prefix: string) => {
    for (const { name } of fs.readDirSync(folder)) {
      const info = fs.lstatSync(join(folder, name));
      const path = `${prefix}${name}`;
      if (info.isDirectory) {
        entries.set(path, "folder");
        visit(join(folder, name), `${path}/`);
      } else {
        const kind = info.isFile ? "file" : "link";
        entries.set(path, `${kind} ${info.size} ${info.mtime?.getTime()} ${info.ino}`);
      }
    }
  };
  visit(root, "");
  return entries;
}

/** What is not as it was, for a message; `undefined` when nothing is. */
export function firstChange(before: TreeSnapshot, after: TreeSnapshot): string | undefined {
  for (const [path, state] of before) {
    const now = after.get(path);
    if (now === undefined) return `${oneLine(path)} is gone`;
    if (now !== state) return `${oneLine(path)} is not what it was`;
  }
  for (const path of after.keys()) {
    if (!before.has(path)) return `${oneLine(path)} is new`;
  }
  return undefined;
}
