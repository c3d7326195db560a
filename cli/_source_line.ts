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

/** Returns the SHA-256 of a file of the source: the same after a copy, a change of its mode or of its times. */
export async function sourceDigest(root: string, path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(root + path));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
