export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;

export function seconds(wallMs: number): string {
  return `${(wallMs / 1000).toFixed(1)} s`;
}

export function ms(wallMs: number): string {
  return `${Math.round(wallMs)} ms`;
}

/** Returns a size with one decimal, or none if it is zero: `2 GiB`, `20.4 MiB`. */
export function size(bytes: number): string {
  const [unit, name] = bytes >= GIB ? [GIB, "GiB"] : bytes >= MIB ? [MIB, "MiB"] : [1024, "KiB"];
  return `${Number((bytes / unit).toFixed(1))} ${name}`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
