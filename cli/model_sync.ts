/**
 * The program `model-sync`, as the package of a registry. `main.ts` is the same for a clone.
 *
 * @module
 */
import { endProcess, processWorld } from "./_world.ts";
import { run } from "./main.ts";

if (import.meta.main) await endProcess(await run(processWorld));
