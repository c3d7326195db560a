import assert from "node:assert/strict";
import { join } from "node:path";
import { type Pause, pauseRoles, readPauses, removePauses, resumeRoles } from "../../lib/store/pauses.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { recordedLog } from "../helpers/test_context.ts";

const NOON = new Date("2026-11-29T12:00:00Z");
const FOR_GOOD: Pause = { since: NOON.toISOString(), until: null, host: "bot", reason: "moving house" };
const UNTIL_TWO: Pause = { since: NOON.toISOString(), until: "2026-11-29T14:00:00.000Z", host: "bot" };

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

function at(time: string): Date {
  return new Date(`2026-11-29T${time}Z`);
}

Deno.test("a pause with an end is over at that time, one without an end lasts until the role is resumed", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  assert.deepEqual(readPauses(store, NOON), {});
  pauseRoles(store, ["client"], FOR_GOOD);
  pauseRoles(store, ["publisher"], UNTIL_TWO);
  assert.deepEqual(readPauses(store, at("13:59:59")), { client: FOR_GOOD, publisher: UNTIL_TWO });
  assert.deepEqual(readPauses(store, at("14:00:00")), { client: FOR_GOOD });
  assert.deepEqual(resumeRoles(store, ["client", "references"]), { client: FOR_GOOD });
  assert.deepEqual(readPauses(store, NOON), { publisher: UNTIL_TWO });
});

Deno.test("a second pause of a role replaces the first", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  pauseRoles(store, ["client", "publisher"], FOR_GOOD);
  pauseRoles(store, ["client"], UNTIL_TWO);
  assert.deepEqual(readPauses(store, NOON), { client: UNTIL_TWO, publisher: FOR_GOOD });
});

Deno.test("an expired pause that an operator has renewed meanwhile stays", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  pauseRoles(store, ["client", "publisher"], UNTIL_TWO);
  const later = { ...UNTIL_TWO, since: "2026-11-29T13:59:00.000Z" };
  for (const renewed of [later, { ...UNTIL_TWO, until: "2026-11-29T18:00:00.000Z" }]) {
    pauseRoles(store, ["publisher"], UNTIL_TWO);
    pauseRoles(store, ["client"], renewed);
    removePauses(store, { client: UNTIL_TWO, publisher: UNTIL_TWO });
    assert.deepEqual(readPauses(store, NOON), { client: renewed });
  }
});

Deno.test("a new pause removes those that ended before it, and no others", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  pauseRoles(store, ["publisher"], UNTIL_TWO);
  pauseRoles(store, ["client"], FOR_GOOD);
  assert.deepEqual(readPauses(store, NOON), { client: FOR_GOOD, publisher: UNTIL_TWO });
  pauseRoles(store, ["references"], { ...FOR_GOOD, since: "2026-11-29T14:00:01.000Z" });
  assert.deepEqual(Object.keys(readPauses(store, NOON)).sort(), ["client", "references"]);
});

Deno.test("processes that pause at the same time lose none of their pauses", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const script = `
    import { pauseRoles } from ${JSON.stringify(new URL("../../lib/store/pauses.ts", import.meta.url).href)};
    import { openStore } from ${JSON.stringify(new URL("../../lib/store/store.ts", import.meta.url).href)};
    const [modelsDir, name] = Deno.args;
    const store = openStore(Deno, { modelsDir });
    for (let i = 0; i < 20; i++) {
      pauseRoles(store, [name + i], { since: "2026-11-29T12:00:00Z", until: null, host: "bot" });
    }`;
  const file = join(dir.path, "pause.ts");
  Deno.writeTextFileSync(file, script);
  const results = await Promise.all(["a", "b"].map((name) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", "deno.json", file, store.modelsDir, name],
      cwd: new URL("../..", import.meta.url),
    }).output()
  ));
  for (const { code, stderr } of results) assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.equal(Object.keys(readPauses(store, NOON)).length, 40);
});

Deno.test("damage to the pauses is reported with its cost, and the next pause replaces the file", () => {
  for (const damage of ["", "{", "[]", `{"client":{"since":"soon","until":null,"host":"bot"}}`]) {
    using dir = tempDir();
    const log = recordedLog();
    const store = openStore(Deno, { modelsDir: join(dir.path, "models") }, log);
    Deno.writeTextFileSync(join(store.root, "paused.json"), damage);
    assert.deepEqual(readPauses(store, NOON), {});
    assert.match(log.lines.join("\n"), /paused\.json is damaged.*the roles that were paused run again/);
    pauseRoles(store, ["client"], FOR_GOOD);
    assert.deepEqual(readPauses(store, NOON), { client: FOR_GOOD });
  }
});
