import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { osErrorCode, RefusedError } from "../core/errors.ts";
import { findEntry, makeReadableFolder, READABLE_MODE, setMode } from "../core/files.ts";
import { copyAndHash } from "../core/hash.ts";
import type { Digest, ReleaseFile } from "../release/manifest.ts";
import type { MirrorPlan } from "./mirror_plan.ts";
import { MIRROR_SCRATCH_NAME } from "./mirror_scratch.ts";
import type { MirrorStep } from "./mirror_step.ts";
import { releaseDir } from "./releases.ts";
import type { Store } from "./store.ts";

/** Copies new files into the scratch folder, and collects the renames in their order. */
export class MirrorPreparation {
  readonly #context: Context;
  readonly #store: Store;
  readonly #release: Digest;
  readonly #runId: string;
  readonly #keepsForeign: boolean;
  readonly #steps: MirrorStep[] = [];
  #count = 0;

  constructor(context: Context, store: Store, release: Digest, runId: string, keepsForeign: boolean) {
    this.#context = context;
    this.#store = store;
    this.#release = release;
    this.#runId = runId;
    this.#keepsForeign = keepsForeign;
  }

  /** Orders the renames: blockers move away, folders and files come, and files of the old release alone go last. */
  async make({ vacated, blockers, folders, copies, gone }: MirrorPlan): Promise<readonly MirrorStep[]> {
    for (const path of vacated) this.#moveAside(path);
    for (const { path, isFolder, isForeign } of blockers) {
      if (isForeign) this.#keep(path, path, isFolder ? "held files of no release" : undefined);
      else this.#moveAside(path);
    }
    for (const [path, below] of folders) this.#addFolder(path, below);
    for (const copy of copies) {
      const from = await this.#copy(copy.file);
      const { path } = copy.file;
      const isKept = copy.isForeign && (this.#keepsForeign || copy.there === "other");
      const replaced = copy.there === "file" ? this.#link(path) : undefined;
      if (copy.there !== "nothing" && replaced === undefined) {
        if (isKept) this.#keep(path, path);
        else this.#moveAside(path);
      }
      this.#steps.push({ from, to: path, replaced });
      if (isKept && replaced !== undefined) this.#keep(replaced, path);
    }
    for (const path of gone) this.#moveAside(path);
    return this.#steps;
  }

  /** Returns the next unused name in the scratch folder. */
  #name(): string {
    return `${MIRROR_SCRATCH_NAME}/${this.#count++}`;
  }

  #moveAside(path: string): string {
    const to = this.#name();
    this.#steps.push({ from: path, to });
    return to;
  }

  #addFolder(path: string, below: ReadonlySet<string>): void {
    const { fs, modelsDir } = this.#store;
    const from = this.#name();
    makeReadableFolder(fs, join(modelsDir, from));
    for (const folder of [...below].sort()) {
      makeReadableFolder(fs, join(modelsDir, from, folder.slice(path.length + 1)));
    }
    this.#steps.push({ from, to: path });
  }

  /** Keeps an entry that belongs to no release under another name. @param from its path when this step is done */
  #keep(from: string, path: string, why = "belonged to no release"): void {
    const to = this.#freeName(`${path}.before-${this.#runId}`);
    this.#context.log.warn(`${path} in ${this.#store.modelsDir} ${why}: it is kept as ${to}`);
    this.#steps.push({ from, to });
  }

  /** A run that activates a release and rolls back from it may keep two entries of the same path. */
  #freeName(name: string): string {
    const isTaken = (path: string) =>
      findEntry(this.#store.fs, join(this.#store.modelsDir, path)) !== undefined;
    // Ends, because each taken name is an entry of the folder.
    let free = name;
    for (let count = 2; isTaken(free); count++) free = `${name}-${count}`;
    return free;
  }

  /** Gives the file at a path a second name, so that a rename can replace it. @returns `undefined` without hard links */
  #link(path: string): string | undefined {
    const { fs, modelsDir } = this.#store;
    const link = this.#name();
    try {
      fs.linkSync(join(modelsDir, path), join(modelsDir, link));
      return link;
    } catch (error) {
      const code = osErrorCode(error) ?? "";
      if (error instanceof Deno.errors.NotSupported || LINK_IMPOSSIBLE.includes(code)) return undefined;
      throw error;
    }
  }

  async #copy({ path, sha256 }: ReleaseFile): Promise<string> {
    const { fs, modelsDir } = this.#store;
    const name = this.#name();
    const location = join(modelsDir, name);
    const copy = await copyAndHash(fs, join(releaseDir(this.#store, this.#release), path), location, {
      signal: this.#context.signal,
    });
    if (copy.sha256 !== sha256) {
      throw new RefusedError(
        `Cannot mirror ${path}: the store's copy has SHA-256 ${copy.sha256}, manifest says ${sha256}`,
        { code: "RELEASE_DAMAGED", hint: "pull again to repair the store" },
      );
    }
    setMode(fs, location, READABLE_MODE);
    using written = fs.openSync(location, { read: true, write: true });
    written.syncSync();
    return name;
  }
}

/** Errors of file systems without hard links, for files of other users, and at the limit of links to one file. */
const LINK_IMPOSSIBLE = ["EMLINK", "EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOSYS"];
