/** The limits of an archive. They apply to its real content, not only to the sizes that it states. */
export interface ArchiveLimits {
  /** Files and folders. */
  readonly entriesMax: number;
  /** The extracted size of all files together. */
  readonly bytesMax: number;
  /** Extracted bytes for each byte of the archive. */
  readonly ratioMax: number;
  /** Folders inside each other. */
  readonly depthMax: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = {
  // The limit of a release. The list takes about 60 MB of memory.
  entriesMax: 200_000,
  // Many times the largest known model set, and less than a typical server disk.
  bytesMax: 64 * 1024 ** 3,
  // Text and tree models shrink to a twentieth. Only zeros, and bombs, reach deflate's maximum of a thousandth.
  ratioMax: 200,
  // The limit of a portable path.
  depthMax: 32,
};
