/** Inspects a pickle as a pull does. */
import { basename } from "node:path";
import { inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import { testContext } from "../../helpers/test_context.ts";

const [location = ""] = Deno.args;
const file = {
  path: basename(location),
  location,
  size: Deno.statSync(location).size,
  sha256: "0".repeat(64),
};
await inspectPickle(testContext(), file, { patterns: [] });
