import type { GitOptions } from "./git.ts";

/** Without blobs: the files of a release are fetched by name, and only those that the store does not hold. */
export const BLOBLESS = "--filter=blob:none";

/**
 * What a fetch with {@link BLOBLESS} is told, so that it does not write it down: by these settings git fetches whatever
 * it misses, in every command. The commits of the clone have to be known to be whole, or the fetch never ends.
 */
export function bloblessFetch(remote: string): Pick<GitOptions, "config"> {
  return { config: [`remote.${remote}.promisor=true`, `remote.${remote}.partialclonefilter=blob:none`] };
}
