import type { ReleaseFile } from "../release/manifest.ts";
import type { ClaimProblem, Offer } from "./carrier.ts";

/** One file more or fewer than the manifest lists needs no download to be refused, and nor does a known other content. */
export function findClaimProblem(
  offered: Offer["files"],
  claimed: readonly ReleaseFile[],
): ClaimProblem | undefined {
  const listed = new Map(claimed.map((file) => [file.path, file]));
  const present = new Set(offered.map((file) => file.path));
  const extra = offered.find((file) => !listed.has(file.path));
  if (extra !== undefined) return { what: `the commit has ${extra.path}, which it does not list` };
  const missing = claimed.find((file) => !present.has(file.path));
  if (missing !== undefined) return { what: `it lists ${missing.path}, which the commit does not have` };
  const other = offered.find(({ path, sha256 }) => sha256 !== listed.get(path)?.sha256);
  if (other === undefined) return undefined;
  return {
    what: `${other.path} has SHA-256 ${other.sha256}, manifest says ${listed.get(other.path)?.sha256}`,
  };
}
