type Bytes = Uint8Array<ArrayBuffer>;

/** Returns pieces as one. A single one is not copied. @param size of all pieces, in bytes */
export function concatenate(pieces: readonly Bytes[], size: number): Bytes {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
