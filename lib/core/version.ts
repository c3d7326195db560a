/** The version of this program, as `deno.json` has it. A constant, because `lib` does not read that file. */
export const VERSION = "0.1.0";
