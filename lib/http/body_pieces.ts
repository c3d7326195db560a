import { giveBuffer, takeBuffer } from "../core/spare_buffers.ts";

/**
 * Reads the body of an answer piece by piece, of at most 1 MiB, receiving the next piece while the last one is used. A
 * piece is valid until the next is asked for. Leaving the loop ends the connection.
 */
export async function* bodyPieces({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  // Into buffers of ours: what the stream makes itself are 64 KiB each, collected too late for memory to stay flat.
  const reader = body.getReader({ mode: "byob" });
  // A buffer that is read into belongs to the stream until it comes back with a piece in it.
  let receiving = reader.read(takeBuffer());
  let spare: Uint8Array<ArrayBuffer> | undefined = takeBuffer();
  try {
    for (;;) {
      const { value, done } = await receiving;
      if (done) {
        if (value !== undefined) giveBuffer(new Uint8Array(value.buffer));
        return;
      }
      receiving = reader.read(spare ?? takeBuffer());
      spare = undefined;
      // A failure belongs to whoever asks for the next piece, and must not end the process before that.
      receiving.catch(() => {});
      yield value;
      spare = new Uint8Array(value.buffer);
    }
  } finally {
    if (spare !== undefined) giveBuffer(spare);
    await reader.cancel().catch(() => {});
  }
}
