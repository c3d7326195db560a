/**
 * The program `model-sync`, as the package of a registry. `main.ts` is the same for a clone.
 *
 * @module
 */
import { start } from "./main.ts";

if (import.meta.main) await start();
