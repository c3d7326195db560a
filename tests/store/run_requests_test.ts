import assert from "node:assert/strict";
import { join } from "node:path";
import {
  dropOldRequest,
  endRunRequest,
  findRunRequest,
  findWaitingRequest,
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

Deno.test("a requested run waits, is started once, and its end stays readable", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  assert.equal(findWaitingRequest(store, "client"), undefined);
  assert.deepEqual(requestRun(store, "client", request("one")), request("one"));
  assert.deepEqual(findWaitingRequest(store, "client"), request("one"));
  takeRunRequest(store, "client", LATER);
  const taken = { ...request("one"), takenAt: LATER.toISOString() };
  assert.equal(findWaitingRequest(store, "client"), undefined);
  assert.deepEqual(findRunRequest(store, "client", "one"), taken);
  takeRunRequest(store, "client", NOON);
  endRunRequest(store, "client", { exitCode: 0 }, "one");
  assert.deepEqual(findRunRequest(store, "client", "one"), { ...taken, end: { exitCode: 0 } });
});

Deno.test("a second request joins a waiting one, but is a new one while the run is running", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  requestRun(store, "client", request("one"));
  assert.equal(requestRun(store, "client", request("two")).id, "one");
  takeRunRequest(store, "client", LATER);
  assert.equal(requestRun(store, "client", request("three")).id, "three");
  endRunRequest(store, "client", { exitCode: 1 }, "one");
  // The end of the first request is readable while the second one waits and runs.
  takeRunRequest(store, "client", LATER);
  assert.deepEqual(findRunRequest(store, "client", "one")?.end, { exitCode: 1 });
  assert.equal(findRunRequest(store, "client", "three")?.end, undefined);
});

Deno.test("each role has its own requests", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  requestRun(store, "client", request("one"));
  requestRun(store, "publisher", request("two"));
  takeRunRequest(store, "client", LATER);
  assert.equal(findWaitingRequest(store, "client"), undefined);
  assert.equal(findWaitingRequest(store, "publisher")?.id, "two");
});

Deno.test("a waiting request that is too old is dropped, but not a started one", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  requestRun(store, "client", request("one"));
  assert.equal(dropOldRequest(store, "client", NOON), undefined);
  assert.equal(dropOldRequest(store, "client", LATER)?.id, "one");
  assert.equal(findWaitingRequest(store, "client"), undefined);
  requestRun(store, "client", request("two"));
  takeRunRequest(store, "client", NOON);
  assert.equal(dropOldRequest(store, "client", LATER), undefined);
  assert.equal(findRunRequest(store, "client", "two")?.id, "two");
});

Deno.test("damage to the requests loses them, and the next request replaces the file", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  for (const damage of ["", "[1]", `{"client":{"waiting":{"id":1}}}`]) {
    Deno.writeTextFileSync(join(store.root, "run_now.json"), damage);
    assert.equal(findWaitingRequest(store, "client"), undefined);
    requestRun(store, "client", request("one"));
    assert.equal(findWaitingRequest(store, "client")?.id, "one");
  }
});
