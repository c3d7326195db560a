/**
 * Files that folders collect without being models: never published, and not counted as extra files of a release.
 * `.git*` files at a release's root could not be signed either (OpenSSF Model Signing leaves them out).
 */
const CLUTTER = new Set([
  ".gitignore",
  ".gitattributes",
  ".gitkeep",
  ".DS_Store",
  "Thumbs.db",
  "desktop.ini",
]);

export function isClutter(name: string): boolean {
  return CLUTTER.has(name);
}
