import { join } from "node:path";
import { z } from "zod";
import { FailedError } from "../../lib/core/errors.ts";
import { copyPackages } from "./copy_packages.ts";
import type { InstallWorld } from "./install_world.ts";
import { userPackages } from "./user_packages.ts";

/** The file whose packages users need: it loads all commands, and these all the rest. */
const ENTRY = "cli/main.ts";

const CacheInfo = z.object({ npmCache: z.string() });

/**
 * Fills the cache of the installation with all that users need, so that commands work offline. Packages in the cache of
 * this user are copied, and the others are downloaded.
 *
 * @returns the registry that the packages come from
 * @throws {FailedError} code `INSTALL_PACKAGES`
 */
export async function fetchPackages(world: InstallWorld, runtime: string, cache: string): Promise<string> {
  const deno = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    await runDeno(world, runtime, args, env);
  const packages = userPackages(await deno(["info", "--json", ENTRY]));
  const { npmCache } = CacheInfo.parse(JSON.parse(await deno(["info", "--json"])));
  await copyPackages(packages, npmCache, cache);
  const registry = packages.find((one) => one.registry !== undefined)?.registry ?? "";
  await deno(["cache", "-q", join(world.clone, ENTRY)], { DENO_DIR: cache, NPM_CONFIG_REGISTRY: registry });
  return registry;
}

async function runDeno(
  world: InstallWorld,
  runtime: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { success, stdout, stderr } = await world.run(runtime, args, {
    cwd: world.clone,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
  });
  if (success) return stdout;
  throw new FailedError(`Cannot fetch the packages: ${stderr.trim().split("\n").at(-1)}`, {
    code: "INSTALL_PACKAGES",
    hint: "check the connection to the npm registry, and run the install again",
  });
}
