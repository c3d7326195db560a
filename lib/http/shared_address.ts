import type { Located } from "./download_types.ts";

/** An address that several downloads use, one after the other, until it expires. */
export class SharedAddress {
  readonly #locate: () => Promise<Located>;
  #located: Promise<Located> | undefined;

  constructor(locate: () => Promise<Located>) {
    this.#locate = locate;
  }

  /** Returns a `locate` for one download: the known address first, and a new one when the download calls it again. */
  forDownload(): () => Promise<Located> {
    let isFirst = true;
    return () => {
      if (!isFirst) this.#located = undefined;
      isFirst = false;
      return this.#located ??= this.#locate();
    };
  }
}
