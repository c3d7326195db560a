import { join } from "node:path";
import type * as z from "zod";
import { ifDiskTakes } from "../core/errors.ts";
import { StateFile, type StateFileOptions } from "../core/state_file.ts";
import { whileLocked } from "../core/while_locked.ts";
import { type RebuiltName, type StateFolder, warnOfDamage } from "./state_entries.ts";

/**
 * A state file of a store that is rebuilt when it is damaged: the damage costs what `STATE_ENTRIES` says, a warning
 * names that cost, and the next writer replaces the file. Without a warning if it is never synced: a power cut may tear it.
 */
export class RebuiltFile<Value> {
  readonly #name: RebuiltName;
  readonly #schema: z.ZodType<Value>;
  readonly #options: StateFileOptions;

  constructor(name: RebuiltName, schema: z.ZodType<Value>, options: StateFileOptions = {}) {
    this.#name = name;
    this.#schema = schema;
    this.#options = options;
  }

  path({ root }: Pick<StateFolder, "root">): string {
    return join(root, this.#name);
  }

  /** Returns the content; `undefined` without a file. Warns of a damaged file and returns `undefined`. */
  find(folder: StateFolder): Value | undefined {
    return this.#read(folder).value;
  }

  replace(folder: StateFolder, value: Value): void {
    this.#file(folder).replace(value);
  }

  /** As {@link replace}, for a memory that only saves time: a failure of the disk is ignored. */
  remember(folder: StateFolder, value: Value): void {
    ifDiskTakes(() => this.replace(folder, value));
  }

  remove(folder: StateFolder): void {
    this.#file(folder).remove();
  }

  /**
   * Changes the content while no other process does, and returns it. The file is written only if it is damaged or the
   * content differs.
   *
   * @param empty the content to change where there is none
   * @throws {DiskError} if the disk takes no more
   */
  update(folder: StateFolder, empty: Value, change: (before: Value) => Value): Value {
    return whileLocked(folder.fs, this.path(folder), () => {
      const { value: before = empty, isDamaged } = this.#read(folder);
      const after = change(before);
      if (isDamaged || JSON.stringify(after) !== JSON.stringify(before)) this.replace(folder, after);
      return after;
    });
  }

  isDamaged(folder: StateFolder): boolean {
    return this.#file(folder).read().kind === "damaged";
  }

  #read(folder: StateFolder): { readonly value: Value | undefined; readonly isDamaged: boolean } {
    const read = this.#file(folder).read();
    if (read.kind === "damaged" && this.#options.isUnsynced !== true) {
      warnOfDamage(folder, this.#name, read.reason);
    }
    return { value: read.kind === "found" ? read.value : undefined, isDamaged: read.kind === "damaged" };
  }

  #file({ fs, root }: StateFolder): StateFile<Value> {
    return new StateFile(fs, join(root, this.#name), this.#schema, this.#options);
  }
}
