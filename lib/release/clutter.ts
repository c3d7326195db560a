/**
 * What folders collect without its being a model: never published, and not counted as an extra file of a release.
 * `lost+found` is at the root of every ext4 volume, and is closed to all but root.
 * `.git*` files at a release's root could not be signed either (OpenSSF Model Signing leaves them out).
 */
const CLUTTER = new Set([
  ".gitignore",
  ".gitattributes",
  ".gitkeep",
  ".DS_Store",
  "Thumbs.db",
  "desktop.ini",
  "lost+found",
]);

export function isClutter(name: string): boolean {
  return CLUTTER.has(name);
}
