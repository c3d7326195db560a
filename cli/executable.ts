/** The entry of an executable's bundle: how the program starts, and what the build runs to compile its code ahead. */
export { run, start } from "./main.ts";
export { processWorld } from "./_world.ts";
