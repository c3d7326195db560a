import * as z from "zod";
import { osErrorCode } from "./errors.ts";
import { type FileSystem, findText, STATE_BYTES_MAX, UnusableFileError } from "./files.ts";
import { replaceFile, replaceUnsynced } from "./replace_file.ts";
import { clearWay, removeState } from "./set_aside.ts";
import { UNCOMPILED } from "./zod_options.ts";

/** The content of a state file. */
export type StateContent<Value> =
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly value: Value }
  /** The file cannot be used. The reason is a clause: `it is not JSON`, `it is a folder, not a file`. */
  | { readonly kind: "damaged"; readonly reason: string };

export interface StateFileOptions {
  /** The mode of the file, whatever the umask. Without it, the umask decides. */
  readonly mode?: number;
  /** Whether the JSON is indented, for people who open the file. */
  readonly isIndented?: boolean;
  /** Whether the file only saves time: it is not synced, because after a power cut its loss does no harm. */
  readonly isUnsynced?: boolean;
  /**
   * Whether a line with a checksum follows, so that a damaged byte is noticed even if the content stays valid. For files that
   * name what need not be examined.
   */
  readonly hasChecksum?: boolean;
  /** A larger file counts as damaged. Default: {@link STATE_BYTES_MAX}. */
  readonly bytesMax?: number;
}

/** A small JSON file that only this program writes. Its content is checked when it is read, and replaced as a whole. */
export class StateFile<Value> {
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #schema: z.ZodType<Value>;
  readonly #options: StateFileOptions;

  constructor(fs: FileSystem, path: string, schema: z.ZodType<Value>, options: StateFileOptions = {}) {
    this.#fs = fs;
    this.path = path;
    this.#schema = schema;
    this.#options = options;
  }

  /** Reads the file. Every problem is returned as `damaged`, and none thrown: the caller decides what it means. */
  read(): StateContent<Value> {
    try {
      const text = findText(this.#fs, this.path, this.#options.bytesMax ?? STATE_BYTES_MAX);
      return text === undefined
        ? { kind: "none" }
        : { kind: "found", value: this.#schema.parse(JSON.parse(this.#contentOf(text)), UNCOMPILED) };
    } catch (error) {
      return { kind: "damaged", reason: reasonOf(error) };
    }
  }

  /** Replaces the file durably, and whatever has taken its place. After a crash, the old or the new content is there. */
  replace(value: Value): void {
    const { mode, isIndented = false, isUnsynced = false } = this.#options;
    const content = `${JSON.stringify(value, undefined, isIndented ? 2 : 0)}\n`;
    const text = this.#options.hasChecksum === true ? content + checksumLine(content) : content;
    clearWay(this.#fs, this.path);
    if (isUnsynced) replaceUnsynced(this.#fs, this.path, [new TextEncoder().encode(text)]);
    else replaceFile(this.#fs, this.path, text, mode);
  }

  /** Returns the text without its checksum. @throws {UnusableFileError} if that is wrong */
  #contentOf(text: string): string {
    if (this.#options.hasChecksum !== true) return text;
    const content = text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1);
    if (content + checksumLine(content) === text) return content;
    throw new UnusableFileError(this.path, "it does not match its checksum");
  }

  /** Removes the file, or whatever has taken its place. */
  remove(): void {
    removeState(this.#fs, this.path);
  }
}

/** Returns the 32-bit FNV-1a hash of a text, as a line. It differs for any two texts that differ in one character. */
function checksumLine(text: string): string {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return `${(hash >>> 0).toString(16).padStart(8, "0")}\n`;
}

function reasonOf(error: unknown): string {
  if (error instanceof SyntaxError) return "it is not JSON";
  if (error instanceof z.ZodError) {
    const [issue] = error.issues;
    const place = issue?.path.map(String).join(".") ?? "";
    return `its content is not valid (${place === "" ? "" : `${place}: `}${issue?.message ?? "invalid"})`;
  }
  if (error instanceof UnusableFileError) return error.reason;
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return `it cannot be read (${
    osErrorCode(error) ?? (error instanceof Error ? error.message : String(error))
  })`;
}
