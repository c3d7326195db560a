/** Choices of settings that more than one part of the program uses. */

export const ACTIVATION_SETTINGS = ["auto", "symlink", "mirror"] as const;
/** How a release replaces the active one, as configured. */
export type ActivationSetting = (typeof ACTIVATION_SETTINGS)[number];

/** How a run activates a release, after `auto` is resolved. */
export type ActivationMode = Exclude<ActivationSetting, "auto">;

export const LFS_SETTINGS = ["auto", "always", "never"] as const;
/** Which files Git LFS stores: those that GitHub refuses otherwise, all, or none. */
export type LfsSetting = (typeof LFS_SETTINGS)[number];

export const DRIFT_SETTINGS = ["warn", "refuse", "ignore"] as const;
/** What to do if a file's tensors differ from those in the active release. */
export type DriftSetting = (typeof DRIFT_SETTINGS)[number];

/** Whether pickle files are checked against the allow-list, always refused, or never checked. */
export const PICKLE_SETTINGS = ["check", "refuse", "ignore"] as const;

export const OTHER_WRITER_SETTINGS = ["refuse", "accept"] as const;
/** What to do with files that another program changed after model-sync published their manifest. */
export type OtherWriterSetting = (typeof OTHER_WRITER_SETTINGS)[number];
