import type { TimeLimit } from "./time_limit.ts";

/** A program's error message is at the end of its output. No message is longer. */
const STDERR_CHARS_MAX = 64 * 1024;

/** The rest of a word at the cut: the end of a token could not be recognized as a secret. */
const CUT_WORD = /^\S{0,4096}(?=\s)/;

/** The forced end of a program. */
export interface Cut {
  /** The program is being stopped. Its further output and its exit code are ignored. */
  isDue: boolean;
  /** Rejected with the reason once the program has ended. */
  readonly promise: Promise<never>;
  reject(reason: unknown): void;
  /** The pipes that are being read. Cancelling them wakes their readers. */
  readonly pipes: Set<ReadableStreamBYOBReader>;
  /** Called when one of them is not read any more. */
  onRead(): void;
}

/** The capacity of a pipe on Linux. One buffer serves a whole output, so that memory stays flat. */
const PIPE_BUFFER_BYTES = 64 * 1024;

/**
 * Yields the pieces of a pipe. A piece is valid until the next one is requested. Fails when the program is stopped,
 * even if it closed the pipe first. Leaving the loop early closes the pipe.
 */
export async function* readPipe(
  reader: ReadableStreamBYOBReader,
  cut: Cut,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  cut.pipes.add(reader);
  let buffer = new ArrayBuffer(PIPE_BUFFER_BYTES);
  try {
    while (true) {
      // `Promise.race` with the cut would leave a reaction on its promise for as long as the program runs.
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (cut.isDue) await cut.promise;
      if (done || value === undefined) return;
      yield value;
      buffer = value.buffer;
    }
  } finally {
    cut.pipes.delete(reader);
    cut.onRead();
    await reader.cancel();
  }
}

/** Yields the same pieces, and pauses the limit while the reader has one. A reader that leaves early waits for `leave`. */
export async function* readOutput(
  pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  limit: TimeLimit,
  leave: () => Promise<void>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let isRead = false;
  try {
    for await (const piece of pieces) {
      limit.pause();
      yield piece;
      limit.start();
    }
    isRead = true;
  } finally {
    if (!isRead) await leave();
  }
}

/** Reads a program's error output to its end. @returns the end of it, at most {@link STDERR_CHARS_MAX} characters */
export async function readTail(
  pieces: AsyncIterable<Uint8Array>,
  onText?: (text: string) => void,
): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const piece of pieces) {
    const text = decoder.decode(piece, { stream: true });
    onText?.(text);
    tail += text;
    if (tail.length > STDERR_CHARS_MAX) tail = tail.slice(-STDERR_CHARS_MAX).replace(CUT_WORD, "");
  }
  return tail;
}
