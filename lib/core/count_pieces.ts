/** Yields the same pieces, and calls `onBytes` with the total so far after each piece was used. */
export async function* countPieces(
  pieces: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of pieces) {
    yield piece;
    onBytes(bytes += piece.length);
  }
}
