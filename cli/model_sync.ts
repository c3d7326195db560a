/**
 * The program `model-sync`, as the package of a registry. `main.ts` is the same for a clone.
 *
 * @module
 */
import { processWorld } from "./_world.ts";
import { run } from "./main.ts";

if (import.meta.main) Deno.exit(await run(processWorld));
