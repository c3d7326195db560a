/** The beginning of the names of all variables that set something. */
export const ENV_PREFIX = "MODEL_SYNC_";
