const UNIT_BYTES: Readonly<Record<string, number>> = { bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Bytes that git says it received so far: `Receiving objects:  40% (2/5), 12.50 MiB | 3.00 MiB/s`. */
export function parseReceived(text: string): number | undefined {
  const [, amount, unit] =
    /Receiving objects:.*, ([\d.]+) (bytes|KiB|MiB|GiB)[^\r\n]*$/.exec(text.trimEnd()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * (UNIT_BYTES[unit] ?? 1));
}
