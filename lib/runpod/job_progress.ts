import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

/** Bytes are reported many times a second, but a job's clients poll every few seconds. */
const BYTES_EVERY_MS = 10_000;

/**
 * Sends the progress of a job, one message at a time: a newer message replaces the one that waits. A message that RunPod
 * does not accept does not fail the job.
 */
export class JobProgress {
  readonly #context: Context;
  readonly #send: (text: string) => Promise<void>;
  #next: string | undefined;
  #sending: Promise<void> | undefined;
  #bytesToldMs = -Infinity;

  constructor(context: Context, send: (text: string) => Promise<void>) {
    this.#context = context;
    this.#send = send;
  }

  show(text: string): void {
    this.#next = text;
    this.#sending ??= this.#sendAll();
  }

  /** Returns the job's log, which also sends the share of the bytes that moved. */
  watch(log: Log): Log {
    return {
      debug: (...line) => log.debug(...line),
      info: (...line) => log.info(...line),
      warn: (...line) => log.warn(...line),
      error: (...line) => log.error(...line),
      progress: (label, doneBytes, totalBytes) => {
        log.progress(label, doneBytes, totalBytes);
        this.#tellBytes(label, doneBytes, totalBytes);
      },
    };
  }

  /** Waits for the message in flight, and sends no further one, which would arrive after the job's result. */
  async end(): Promise<void> {
    this.#next = undefined;
    await this.#sending;
  }

  #tellBytes(label: string, doneBytes: number, totalBytes: number | undefined): void {
    const nowMs = this.#context.clock.monotonicMs();
    if (totalBytes === undefined || totalBytes === 0 || nowMs - this.#bytesToldMs < BYTES_EVERY_MS) return;
    this.#bytesToldMs = nowMs;
    this.show(`${label}: ${Math.floor(100 * doneBytes / totalBytes)}%`);
  }

  async #sendAll(): Promise<void> {
    for (let text = this.#next; text !== undefined; text = this.#next) {
      this.#next = undefined;
      try {
        await this.#send(text);
      } catch (error) {
        this.#context.log.debug(messageOf(error));
      }
    }
    this.#sending = undefined;
  }
}
