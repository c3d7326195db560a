/** Returns the address that a form of method GET leads to, without the parameters that are empty. */
export function filterAddress(action: string, entries: Iterable<readonly [string, unknown]>): string {
  const address = new URL(action);
  address.search = "";
  for (const [name, value] of entries) {
    if (typeof value === "string" && value.trim() !== "") address.searchParams.append(name, value);
  }
  return address.href;
}
