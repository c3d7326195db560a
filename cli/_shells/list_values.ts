/**
 * The first argument with which completion scripts ask for values of this machine, in the place of a command's name:
 * `model-sync __values releases WORD...`. The words are those of the command line that is completed.
 */
export const LIST_VALUES = "__values";
