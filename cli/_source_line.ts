/**
 * Returns a line that changes whenever a file of the source is changed, replaced or removed.
 *
 * @param root the folder of the source, with a slash at its end
 * @param path of the file below it
 */
export function sourceLine(root: string, path: string): string {
  const { size, mtime, ctime, ino } = Deno.statSync(root + path);
  return [path, size, mtime?.getTime(), ctime?.getTime(), ino].join("\t");
}
