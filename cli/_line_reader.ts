import type { Input } from "./_world.ts";

/** More than any answer needs. */
const ANSWER_BYTES_MAX = 4096;

/** Reads answers from a terminal, line by line. */
export class LineReader {
  readonly #input: Input;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(input: Input) {
    this.#input = input;
  }

  /** Returns the next line, cut at {@link ANSWER_BYTES_MAX}; `undefined` at the end. @throws the signal's reason */
  async next(signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    const { promise: stopped, reject: stop } = Promise.withResolvers<never>();
    const onAbort = () => stop(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#line(), stopped]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #line(): Promise<string | undefined> {
    const buffer = new Uint8Array(ANSWER_BYTES_MAX);
    while (!this.#text.includes("\n") && this.#text.length < ANSWER_BYTES_MAX) {
      const count = await this.#input.read(buffer);
      if (count === null || count === 0) {
        const rest = this.#text;
        this.#text = "";
        return rest === "" ? undefined : rest;
      }
      this.#text += this.#decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    const [line = ""] = this.#text.split(/\r?\n/, 1);
    const end = this.#text.indexOf("\n");
    this.#text = end === -1 ? "" : this.#text.slice(end + 1);
    return line;
  }
}
