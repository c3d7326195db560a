/** Choices that the configuration offers and more than one part of the program has to know. */

export const ACTIVATION_SETTINGS = ["auto", "symlink", "mirror"] as const;
/** How a release is made the one that consumers see. */
export type ActivationSetting = (typeof ACTIVATION_SETTINGS)[number];

/** How a run does it in fact. */
export type ActivationMode = Exclude<ActivationSetting, "auto">;

export const LFS_SETTINGS = ["auto", "always", "never"] as const;
/** Which files go to Git LFS: those that GitHub would refuse otherwise, all, or none. */
export type LfsSetting = (typeof LFS_SETTINGS)[number];

export const DRIFT_SETTINGS = ["warn", "refuse", "ignore"] as const;
/** What follows when the tensors of a file are not those of the active release's file. */
export type DriftSetting = (typeof DRIFT_SETTINGS)[number];

export const PICKLE_SETTINGS = ["check", "refuse", "ignore"] as const;
/** Whether pickle files are held against the allow-list, refused altogether, or let through. */
export type PickleSetting = (typeof PICKLE_SETTINGS)[number];

export const OTHER_WRITER_SETTINGS = ["refuse", "accept"] as const;
/** Whether a client takes files that another program changed after model-sync published their manifest. */
export type OtherWriterSetting = (typeof OTHER_WRITER_SETTINGS)[number];
