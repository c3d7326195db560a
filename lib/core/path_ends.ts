/** Whether a path ends like one of these texts in lower case. */
export function endsLike(path: string, ends: readonly string[]): boolean {
  const name = path.toLowerCase();
  return ends.some((end) => name.endsWith(end));
}
