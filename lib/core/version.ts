/** The version of this program, equal to the one in `deno.json`. A constant, because `lib` does not read that file. */
export const VERSION = "0.1.0";
