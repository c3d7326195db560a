/**
 * The functions of `node:path` for systems with slashes. Loading `node:path` costs 6 ms of processor time, a quarter of
 * the start of Deno, so a bundle has this module in its place; a test compares both.
 */

export const sep = "/";
export const delimiter = ":";

/** Returns a path without `.`, needless slashes, and `..` that has a folder before it. A slash at the end stays. */
export function normalize(path: string): string {
  const isRooted = isAbsolute(path);
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isRooted) parts.push(part);
  }
  const joined = parts.join("/");
  const end = path.endsWith("/") && joined !== "" ? "/" : "";
  if (isRooted) return `/${joined}${end}`;
  return joined === "" ? (path.endsWith("/") ? "./" : ".") : `${joined}${end}`;
}

export function join(...paths: readonly string[]): string {
  const joined = paths.filter((path) => path !== "").join("/");
  return joined === "" ? "." : normalize(joined);
}

export function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}

/** Returns the absolute form of the last path, which starts in those before it, or else in the working folder. */
export function resolve(...paths: readonly string[]): string {
  let resolved = "";
  for (const path of [...paths].reverse()) {
    if (path === "") continue;
    resolved = resolved === "" ? path : `${path}/${resolved}`;
    if (isAbsolute(path)) break;
  }
  if (!isAbsolute(resolved)) resolved = `${Deno.cwd()}/${resolved}`;
  const normal = normalize(resolved);
  return normal === "/" ? normal : normal.replace(/\/$/, "");
}

export function dirname(path: string): string {
  const trimmed = withoutEnd(path);
  const index = trimmed.lastIndexOf("/");
  if (index === -1) return path.startsWith("/") && trimmed === "" ? "/" : ".";
  // Of two slashes at the start, the first one is the folder: `//a` is in `//`.
  if (index === 0) return "/";
  return index === 1 && trimmed.startsWith("//") ? "//" : trimmed.slice(0, index);
}

export function basename(path: string, suffix = ""): string {
  if (suffix !== "" && path === suffix) return "";
  const name = withoutEnd(path).split("/").at(-1) ?? "";
  return suffix !== "" && name !== suffix && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
}

export function extname(path: string): string {
  const name = basename(path);
  const index = name.lastIndexOf(".");
  return index <= 0 || name === ".." ? "" : name.slice(index);
}

export function relative(from: string, to: string): string {
  const [start, end] = [from, to].map((path) => resolve(path).split("/").filter((part) => part !== ""));
  if (start === undefined || end === undefined) return "";
  const shared = start.findIndex((part, index) => part !== end[index]);
  const common = shared === -1 ? start.length : shared;
  return [...start.slice(common).map(() => ".."), ...end.slice(common)].join("/");
}

function withoutEnd(path: string): string {
  return path.replace(/\/+$/, "");
}

export const posix = {
  sep,
  delimiter,
  normalize,
  join,
  isAbsolute,
  resolve,
  dirname,
  basename,
  extname,
  relative,
};
