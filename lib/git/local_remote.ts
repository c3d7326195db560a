import { alsoReading } from "./blobs.ts";
import type { Git } from "./git.ts";
import type { Registry } from "./registry.ts";
import type { RemoteUrl } from "./remote_url.ts";

/** Reads objects of a remote on this disk where they are. */
export class LocalRemote {
  readonly #registry: Pick<Registry, "git" | "objectsDir" | "remoteUrl">;
  #objects: Promise<string | undefined> | undefined;

  constructor(registry: Pick<Registry, "git" | "objectsDir" | "remoteUrl">) {
    this.#registry = registry;
  }

  /**
   * Returns git that also reads the objects of the remote, if that is on this disk: they need not be fetched. Git does not
   * compare them with their names then. `undefined` for any other remote.
   *
   * @param git of the scratch folder
   */
  async open(git: Git): Promise<Git | undefined> {
    const { git: own, objectsDir, remoteUrl } = this.#registry;
    const objects = await (this.#objects ??= findObjects(own, remoteUrl));
    return objects === undefined ? undefined : alsoReading(git, [objectsDir, objects]);
  }
}

/** Returns the folder of objects of a remote on this disk; `undefined` if it is elsewhere, or git refuses to use it. */
async function findObjects(git: Git, { isLocal, url }: RemoteUrl): Promise<string | undefined> {
  if (!isLocal) return undefined;
  const path = url.startsWith("file:") ? (await import("node:url")).fileURLToPath(url) : url;
  const { code, stdout } = await git.attempt(
    ["-C", path, "rev-parse", "--path-format=absolute", "--git-path", "objects"],
    { action: `find the objects of ${url}`, isAlone: true },
  );
  return code === 0 ? new TextDecoder().decode(stdout).trimEnd() : undefined;
}
