import type { FileSystem } from "../../lib/core/files.ts";

/** The real file system, on which a file changes just before the n-th look at it. */
export function vanishingFs(location: string, { at, change }: {
  /** From 1 on. */
  readonly at: number;
  readonly change: (path: string) => void;
}): FileSystem & { readonly looks: () => number } {
  let looks = 0;
  const looking =
    <Rest extends unknown[], Result>(call: (path: string | URL, ...rest: Rest) => Result) =>
    (path: string | URL, ...rest: Rest): Result => {
      if (String(path) === location && ++looks === at) change(location);
      return call(path, ...rest);
    };
  return {
    ...Deno,
    lstat: looking(Deno.lstat),
    lstatSync: looking(Deno.lstatSync),
    statSync: looking(Deno.statSync),
    open: looking(Deno.open),
    openSync: looking(Deno.openSync),
    looks: () => looks,
  };
}

/** What a training does with a file that it replaces. */
export const VANISHINGS: Readonly<Record<string, (path: string) => void>> = {
  "is removed": (path) => Deno.removeSync(path),
  "becomes a folder": (path) => {
    Deno.removeSync(path);
    Deno.mkdirSync(path);
  },
};
