/** What an archive may be at most. Each is checked against what is really there, not against what it says. */
export interface ArchiveLimits {
  /** Files and folders. */
  readonly entriesMax: number;
  /** Bytes of all files together, extracted. */
  readonly bytesMax: number;
  /** Extracted bytes for each byte of the archive. */
  readonly ratioMax: number;
  /** Folders inside each other. */
  readonly depthMax: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = {
  // As many files as a release may have; the list of them takes some 60 MB.
  entriesMax: 200_000,
  // Many times the largest model set known, and less than what fills a server's disk unnoticed.
  bytesMax: 64 * 1024 ** 3,
  // Text and trees of models shrink to a twentieth; only zeros reach deflate's thousandth, and so do bombs.
  ratioMax: 200,
  // What a portable path may have at most.
  depthMax: 32,
};
