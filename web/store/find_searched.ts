import { addresses } from "../addresses.ts";
import { keys } from "./keys.ts";

/** As many digits of a digest as people copy. */
const DIGEST = /^(?:sha256:)?([0-9a-f]{8,64})$/;
/** As `newRunId` makes them. */
const RUN_ID = /^\d{8}T\d{6}Z-[0-9a-f]{6}$/;

/** Returns the page of the release or the run that a search names exactly; `undefined` for any other text. */
export async function findSearched(kv: Deno.Kv, search: string): Promise<string | undefined> {
  if (RUN_ID.test(search)) {
    for await (const { key } of kv.list({ prefix: keys.runPlaces(search) }, { limit: 1 })) {
      return addresses.run(search, String(key.at(-1)));
    }
  }
  const digits = DIGEST.exec(search)?.[1];
  if (digits === undefined) return undefined;
  const start = keys.release(`sha256:${digits}`);
  const end = keys.release(`sha256:${digits}g`);
  for await (const { key } of kv.list({ start, end }, { limit: 1 })) {
    return addresses.release(String(key.at(-1)));
  }
  return undefined;
}
