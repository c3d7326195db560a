import { dirname } from "node:path";

/**
 * Makes the file of a database where there is none, readable for its owner alone: it holds the key that sessions are
 * signed with. SQLite gives the files beside it the same mode. Nothing is done for the URL of a server, and a file that
 * exists keeps its mode.
 *
 * @param place as `Deno.openKv` takes it
 */
export async function prepareDatabase(place: string): Promise<void> {
  if (place === ":memory:" || /^https?:\/\//i.test(place)) return;
  await Deno.mkdir(dirname(place), { recursive: true, mode: 0o700 });
  using _file = await Deno.open(place, { write: true, create: true, mode: 0o600 });
}
