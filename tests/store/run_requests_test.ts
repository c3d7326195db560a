import assert from "node:assert/strict";
import { join } from "node:path";
import {
  dropOldRunRequest,
  endRunRequest,
  findRunRequest,
  requestRun,
  type RunRequest,
  takeRunRequest,
} from "../../lib/store/run_requests.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";

const NOON = new Date("2026-11-29T12:00:00Z");
const LATER = new Date("2026-11-29T12:00:03Z");

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

function request(id: string): RunRequest {
  return { id, at: NOON.toISOString(), host: "bot" };
}

Deno.test("a requested run is taken once, and its end stays readable", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  assert.equal(takeRunRequest(store, "client", LATER), undefined);
  assert.deepEqual(requestRun(store, "client", request("one")), request("one"));
  const taken = { ...request("one"), takenAt: LATER.toISOString() };
  assert.deepEqual(takeRunRequest(store, "client", LATER), taken);
  assert.equal(takeRunRequest(store, "client", LATER), undefined);
  endRunRequest(store, "client", "one", { exitCode: 0 });
  assert.deepEqual(findRunRequest(store, "client"), { ...taken, end: { exitCode: 0 } });
});

Deno.test("a second request while one waits is the same run; while one runs, it is another", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  requestRun(store, "client", request("one"));
  assert.equal(requestRun(store, "client", request("two")).id, "one");
  takeRunRequest(store, "client", LATER);
  assert.equal(requestRun(store, "client", request("three")).id, "three");
  // The end of the first is not taken for that of the second.
  endRunRequest(store, "client", "one", { exitCode: 1 });
  assert.deepEqual(findRunRequest(store, "client"), request("three"));
});

Deno.test("roles have requests of their own", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  requestRun(store, "client", request("one"));
  requestRun(store, "publisher", request("two"));
  assert.equal(takeRunRequest(store, "client", LATER)?.id, "one");
  assert.equal(takeRunRequest(store, "publisher", LATER)?.id, "two");
});

Deno.test("a request from before a given time is dropped, one that was started is not", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  requestRun(store, "client", request("one"));
  assert.equal(dropOldRunRequest(store, "client", NOON), undefined);
  assert.equal(dropOldRunRequest(store, "client", LATER)?.id, "one");
  assert.equal(findRunRequest(store, "client"), undefined);
  requestRun(store, "client", request("two"));
  takeRunRequest(store, "client", NOON);
  assert.equal(dropOldRunRequest(store, "client", LATER), undefined);
});

Deno.test("damage to the requests loses them, and the next request writes them anew", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  for (const damage of ["", "[1]", `{"client":{"id":1}}`]) {
    Deno.writeTextFileSync(join(store.root, "run_now.json"), damage);
    assert.equal(takeRunRequest(store, "client", LATER), undefined);
    requestRun(store, "client", request("one"));
    assert.equal(takeRunRequest(store, "client", LATER)?.id, "one");
  }
});
