import { createHash } from "node:crypto";
import { ifFound } from "../../lib/core/files.ts";

/**
 * Returns a text for the contents of a folder without times, equal for equal trees. Files that vanish are omitted.
 * @param unread matches the paths of files whose size and bytes do not matter
 */
export function contentOf(root: string, unread: RegExp): string {
  const hash = createHash("md5");
  const visit = (folder: string) => {
    const names = ifFound(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
    for (const name of names.sort()) {
      const path = `${folder}/${name}`;
      ifFound(() => {
        const { isDirectory, isFile, isSymlink, mode, nlink, size } = Deno.lstatSync(path);
        hash.update(`${path}\0`);
        if (isDirectory) {
          hash.update(`${mode}\0`);
          visit(path);
        } else if (!unread.test(path)) {
          const content = isFile ? Deno.readFileSync(path) : isSymlink ? Deno.readLinkSync(path) : "";
          hash.update(`${mode} ${nlink} ${size}\0`).update(content);
        }
      });
    }
  };
  visit(root);
  return hash.digest("hex");
}
