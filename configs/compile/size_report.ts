import { plural } from "../../lib/core/format.ts";

/** A larger executable has packed something that the program does not import. */
export const BYTES_MAX = 130_000_000;

/** Rows below this size are one row. */
const ROW_BYTES_MIN = 250_000;

const UNITS = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 } as const;

/** Deno's name for the folder of packages in an executable. Below it are the registry's host, scopes and packages. */
const PACKAGES = ".deno_compile_node_modules";

/** A line of the tree of packed files that `deno compile` prints; of files that are packed twice, once is unique. */
const LINE =
  /^(?<indent>(?:[│ ] )*)[├└]─(?<branch>[┬─]) (?<name>.+?) \((?<size>[\d.]+)(?<unit>[KMG]?B)(?: - (?<unique>[\d.]+)(?<uniqueUnit>[KMG]?B) unique)?\)$/;

/**
 * Returns the bytes that each package and the program's own code take in an executable.
 *
 * @param printed what `deno compile` prints, without colours. Another format gives an empty result
 */
export function packedSizes(printed: string): Map<string, number> {
  const sizes = new Map<string, number>();
  const path: string[] = [];
  for (const line of printed.split(/\r?\n/)) {
    const groups = LINE.exec(line)?.groups;
    if (groups === undefined) continue;
    const { indent = "", branch, name = "", size, unit, unique = size, uniqueUnit = unit } = groups;
    path.splice(indent.length / 2, path.length, name);
    if (branch === "┬") continue;
    const owner = ownerOf(path.join("/").split("/"));
    sizes.set(
      owner,
      (sizes.get(owner) ?? 0) + Number(unique) * (UNITS[uniqueUnit as keyof typeof UNITS] ?? 1),
    );
  }
  return sizes;
}

function ownerOf([top, _registry, scope = "", name]: readonly string[]): string {
  if (top !== PACKAGES) return "model-sync";
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}

/**
 * Returns the report of an executable, a row for each larger package. What no package takes is Deno's runtime.
 *
 * @param bytes the size of the executable
 */
export function sizeReport(bytes: number, sizes: ReadonlyMap<string, number>): string[] {
  const packed = Array.from(sizes.values()).reduce((sum, size) => sum + size, 0);
  const rows = [["Deno runtime", bytes - packed] as const, ...sizes].sort(([, a], [, b]) => b - a);
  const large = rows.filter(([, size]) => size >= ROW_BYTES_MIN);
  const small = rows.filter(([, size]) => size < ROW_BYTES_MIN);
  const rest = small.reduce((sum, [, size]) => sum + size, 0);
  return [
    ...large.map(([name, size]) => `${megabytes(size).padStart(10)}  ${name}`),
    ...(small.length === 0
      ? []
      : [`${megabytes(rest).padStart(10)}  ${plural(small.length, "smaller package")}: ${
        small.map(([name]) => name).sort().join(", ")
      }`]),
  ];
}

/** Returns a size in megabytes, as release pages show it: `12.3 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
