/** Opens a database in memory for a test. */
export function memoryKv(): Promise<Deno.Kv> {
  return Deno.openKv(":memory:");
}

/** Returns everything in a database except versionstamps: equal for equal databases. */
export async function dumpOf(kv: Deno.Kv): Promise<readonly (readonly [Deno.KvKey, unknown])[]> {
  const entries: (readonly [Deno.KvKey, unknown])[] = [];
  for await (const { key, value } of kv.list({ prefix: [] })) entries.push([key, value]);
  return entries;
}

/** The error of a database that is cut off, like a process that is killed between two commits. */
export class CutOff extends Error {}

/** Returns a database that stops before its n-th commit, counted from 1, and how many commits it has seen. */
export function cutOffAt(
  kv: Deno.Kv,
  commit: number,
): { readonly kv: Deno.Kv; readonly commits: () => number } {
  let commits = 0;
  const operationOf = (operation: Deno.AtomicOperation): Deno.AtomicOperation =>
    new Proxy(operation, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (name === "commit" && ++commits >= commit) return Promise.reject(new CutOff());
          const result: unknown = Reflect.apply(value, target, args);
          return result === target ? operationOf(target) : result;
        };
      },
    });
  return {
    commits: () => commits,
    kv: new Proxy(kv, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const result: unknown = Reflect.apply(value, target, args);
          return result instanceof Deno.AtomicOperation ? operationOf(result) : result;
        };
      },
    }),
  };
}
