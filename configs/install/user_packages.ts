import * as z from "zod";

/** The parts of `deno info --json` that say which packages the program loads. */
const ModuleInfo = z.object({
  modules: z.array(z.object({ npmPackage: z.string().optional() })),
  npmPackages: z.record(
    z.string(),
    z.object({
      name: z.string(),
      version: z.string(),
      dependencies: z.array(z.string()),
      registryUrl: z.string().optional(),
      /** Where the package is on this machine, if it is there. Deno 2.6 does not say. */
      localPath: z.string().optional(),
    }),
  ),
});

/** A package that the program loads, or that such a package needs. */
export interface UserPackage {
  readonly name: string;
  readonly version: string;
  readonly registry: string | undefined;
  readonly localPath: string | undefined;
}

/**
 * Returns the packages that the program loads, with all that these packages depend on, sorted by name and version.
 * Packages of tests are not among them.
 *
 * @param infos the output of `deno info --json` for each of the entries (`programEntries`)
 */
export function userPackages(infos: readonly string[]): UserPackage[] {
  const byName = new Map(
    infos.flatMap(loadedPackages).map((one) => [`${one.name}@${one.version}`, one] as const),
  );
  return [...byName].sort(([a], [b]) => a < b ? -1 : 1).map(([, one]) => one);
}

function loadedPackages(info: string): UserPackage[] {
  const { modules, npmPackages } = ModuleInfo.parse(JSON.parse(info));
  const found = new Map<string, UserPackage>();
  const waiting = modules.flatMap(({ npmPackage }) => npmPackage ?? []);
  // Each package is visited once, so this ends with the last of `npmPackages`.
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const info = npmPackages[id];
    if (found.has(id) || info === undefined) continue;
    const { name, version, registryUrl, localPath, dependencies } = info;
    found.set(id, { name, version, registry: registryUrl, localPath });
    waiting.push(...dependencies);
  }
  return [...found.values()];
}
