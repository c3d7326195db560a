/** Twice the capacity of a pipe on Linux. */
const PIECE_CHARS = 128 * 1024;

/**
 * Yields texts, one after the other, as UTF-8 in pieces of about 128 KiB: the input of a program about many files would
 * otherwise be in memory twice.
 */
export async function* encodePieces(texts: Iterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < PIECE_CHARS) continue;
    yield encoder.encode(piece);
    piece = "";
  }
  if (piece !== "") yield encoder.encode(piece);
}
