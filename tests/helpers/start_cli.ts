import assert from "node:assert/strict";
import type { Terminal } from "../../cli/_world.ts";
import { type CliResult, runCli, type RunOptions } from "./run_cli.ts";

/** A command that runs in this process while the test observes it. */
export interface StartedCli {
  /** Waits until the output after the last match matches. @returns that output, up to the end of the match */
  until(pattern: RegExp): Promise<string>;
  /** All output so far, of both streams. */
  readonly said: string;
  /** Requests a stop like a first SIGTERM. */
  stop(): void;
  readonly exitCode: Promise<number>;
}

/** Starts a command like `runCli`. */
export function startCli(command: string, args: readonly string[], options: RunOptions): StartedCli {
  const screen = new WatchedScreen();
  const stopping = new AbortController();
  const exitCode = runCli(command, args, {
    ...options,
    stop: stopping.signal,
    world: { stdout: screen, stderr: screen, ...options.world },
  }).then(({ code }: CliResult) => {
    screen.end();
    return code;
  });
  return {
    until: (pattern) => screen.until(pattern),
    get said() {
      return screen.said;
    },
    stop: () => stopping.abort(),
    exitCode,
  };
}

class WatchedScreen implements Terminal {
  readonly #decoder = new TextDecoder();
  #isEnded = false;
  #seen = 0;
  #news = Promise.withResolvers<void>();
  said = "";

  writeSync(bytes: Uint8Array): number {
    this.said += this.#decoder.decode(bytes, { stream: true });
    this.#wake();
    return bytes.length;
  }

  isTerminal(): boolean {
    return false;
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const told = this.said.slice(this.#seen);
      const match = pattern.exec(told);
      if (match !== null) {
        const end = match.index + match[0].length;
        this.#seen += end;
        return told.slice(0, end);
      }
      assert.ok(!this.#isEnded, `it ended without ${pattern}:\n${this.said}`);
      await this.#news.promise;
    }
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
