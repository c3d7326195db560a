/** Choices that the configuration offers and more than one part of the program has to know. */

export const ACTIVATION_SETTINGS = ["auto", "symlink", "mirror"] as const;
/** How a release is made the one that consumers see. */
export type ActivationSetting = (typeof ACTIVATION_SETTINGS)[number];

export const LFS_SETTINGS = ["auto", "always", "never"] as const;
/** Which files go to Git LFS: those that GitHub would refuse otherwise, all, or none. */
export type LfsSetting = (typeof LFS_SETTINGS)[number];
