import * as z from "zod";
import { copyPackages, removeNeedless } from "./copy_packages.ts";
import type { InstallWorld, RunResult } from "./install_world.ts";
import { packagesError } from "./packages_error.ts";
import { programEntries } from "./program_packages.ts";
import { userPackages } from "./user_packages.ts";

const CacheInfo = z.object({ npmCache: z.string() });

/**
 * Fills the cache of the installation with all that users need, so that commands work offline. Packages in the cache of
 * this user are copied, and the others are downloaded.
 *
 * @returns the registry that the packages come from
 * @throws {FailedError} code `INSTALL_PACKAGES`
 */
export async function fetchPackages(world: InstallWorld, runtime: string, cache: string): Promise<string> {
  const deno = new DenoRunner(world, runtime);
  const entries = programEntries(world.clone);
  let isAnnounced = false;
  for (const entry of entries) {
    if (!(await deno.has(entry, { DENO_DIR: cache }))) {
      if (await deno.has(entry)) await copyFromUser(deno, entry, cache);
      else if (!isAnnounced) {
        world.print("downloading the packages, about 50 MB, once ...");
        isAnnounced = true;
      }
    }
    await deno.run(["cache", "-q", ...entry], { DENO_DIR: cache });
  }
  const infos: string[] = [];
  for (const entry of entries) infos.push(await deno.run(["info", "--json", ...entry], { DENO_DIR: cache }));
  const packages = userPackages(infos);
  removeNeedless(packages, cache);
  return packages.find((one) => one.registry !== undefined)?.registry ?? "";
}

async function copyFromUser(deno: DenoRunner, entry: readonly string[], cache: string): Promise<void> {
  const { npmCache } = CacheInfo.parse(JSON.parse(await deno.run(["info", "--json"])));
  await copyPackages(userPackages([await deno.run(["info", "--json", ...entry])]), npmCache, cache);
}

type Variables = Readonly<Record<string, string>>;

class DenoRunner {
  readonly #world: InstallWorld;
  readonly #runtime: string;

  constructor(world: InstallWorld, runtime: string) {
    this.#world = world;
    this.#runtime = runtime;
  }

  /** Returns whether the packages of an entry are in the cache, without a download. */
  async has(entry: readonly string[], env: Variables = {}): Promise<boolean> {
    return (await this.#start(["install", "-q", "--cached-only", "--entrypoint", ...entry], env)).success;
  }

  /** @throws {FailedError} code `INSTALL_PACKAGES` */
  async run(args: readonly string[], env: Variables = {}): Promise<string> {
    const { success, stdout, stderr } = await this.#start(args, env);
    if (success) return stdout;
    throw packagesError(stderr);
  }

  async #start(args: readonly string[], env: Variables): Promise<RunResult> {
    return await this.#world.run(this.#runtime, args, {
      cwd: this.#world.clone,
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    });
  }
}
