import * as z from "zod";

/** The part of `deno info --json` that says which files load which. */
const GraphInfo = z.object({
  modules: z.array(z.object({
    specifier: z.string(),
    dependencies: z.array(z.object({
      code: z.object({ specifier: z.string().optional() }).optional(),
      isDynamic: z.boolean().optional(),
    })).default([]),
  })),
});

/** The modules that each module imports, by their addresses; those of `import()` apart. */
export type ModuleGraph = ReadonlyMap<string, { readonly first: string[]; readonly later: string[] }>;

/** @param info the output of `deno info --json` */
export function moduleGraph(info: string): ModuleGraph {
  const { modules } = GraphInfo.parse(JSON.parse(info));
  return new Map(modules.map(({ specifier, dependencies }) => {
    const imported = (isDynamic: boolean) =>
      dependencies.filter((one) => (one.isDynamic === true) === isDynamic)
        .flatMap(({ code }) => code?.specifier ?? []);
    return [specifier, { first: imported(false), later: imported(true) }];
  }));
}

/** Returns the addresses of the modules that a module loads before it runs, with its own; with `later`, also afterwards. */
export function loadedBy(
  graph: ModuleGraph,
  entry: string,
  { later }: { readonly later: boolean },
): string[] {
  const found = reachable([entry], (address) => {
    const imports = graph.get(address);
    return [...imports?.first ?? [], ...later ? imports?.later ?? [] : []];
  });
  return [...found].sort();
}

/** Returns the modules that some modules import, directly or not, with these themselves. */
export function reachable(
  entries: readonly string[],
  importsOf: (module: string) => readonly string[],
): Set<string> {
  const found = new Set<string>();
  const waiting = [...entries];
  // Each module is visited once.
  for (let module = waiting.pop(); module !== undefined; module = waiting.pop()) {
    if (found.has(module)) continue;
    found.add(module);
    waiting.push(...importsOf(module));
  }
  return found;
}
