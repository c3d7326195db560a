import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { parseBatch } from "../../lib/wire/parse_batch.ts";
import { nodeOf, sourceOf } from "../../lib/wire/event_names.ts";
import { anyEvent, digestOf } from "../helpers/report_events.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { anyCharacter } from "../helpers/any_character.ts";

const FINISHED = {
  specversion: "1.0",
  id: "run-1/finished",
  source: "bot-1/client",
  type: "model-sync.run.finished.v1",
  time: "2026-11-21T06:00:05.000Z",
  subject: "run-1",
  datacontenttype: "application/json",
  data: {
    runId: "run-1",
    command: "pull",
    outcome: "activated",
    startedAt: "2026-11-21T06:00:00Z",
    durationMs: 5_000,
    host: "bot-1",
    release: digestOf("a"),
    steps: [{ name: "stage", startMs: 10, durationMs: 200 }],
    modelsDir: "/srv/bot/models",
  },
} as const;

Deno.test("a batch survives JSON: the dashboard reads exactly what a node sends", () => {
  fc.assert(fc.property(fc.array(anyEvent, { maxLength: 5 }), (events) => {
    const sent = JSON.parse(JSON.stringify(events));
    assert.deepEqual(parseBatch(sent), { events: sent, unknownTypes: 0, invalid: 0 });
  }));
});

Deno.test("parseBatch() never throws, whatever a batch holds, and counts the rest", () => {
  fc.assert(fc.property(fc.array(fc.anything()), (items) => {
    assert.deepEqual(parseBatch(items), { events: [], unknownTypes: 0, invalid: items.length });
  }));
  assert.deepEqual(parseBatch({ events: [] }), { events: [], unknownTypes: 0, invalid: 1 });
});

Deno.test("an old dashboard accepts a new node: unknown fields, outcomes and steps are ignored", () => {
  const { data } = FINISHED;
  const newer = {
    ...FINISHED,
    traceparent: "00-1-2-01",
    data: {
      ...data,
      outcome: "teleported",
      weather: { sunny: true },
      steps: [{ ...data.steps[0], name: "warp", cpuMs: 7 }],
    },
  };
  const { events, ...counts } = parseBatch([newer]);
  assert.deepEqual(counts, { unknownTypes: 0, invalid: 0 });
  assert.deepEqual(events, [{
    ...FINISHED,
    data: { ...data, outcome: "teleported", steps: [{ name: "warp", startMs: 10, durationMs: 200 }] },
  }]);
});

Deno.test("types of a later version are counted and skipped, the events around them are read", () => {
  const batch = [{ ...FINISHED, type: "model-sync.run.finished.v2", data: 7 }, FINISHED, {
    ...FINISHED,
    type: "org.example.other",
  }];
  const { events, unknownTypes, invalid } = parseBatch(batch);
  assert.deepEqual([events.length, unknownTypes, invalid], [1, 2, 0]);
});

Deno.test("an event outside its bounds is invalid and does not affect others", () => {
  const { data } = FINISHED;
  const bad = [
    { ...FINISHED, specversion: "2.0" },
    { ...FINISHED, id: "" },
    { ...FINISHED, id: "x".repeat(10_000) },
    { ...FINISHED, source: "" },
    { ...FINISHED, source: "bot 1/client" },
    { ...FINISHED, source: "bot-1%2Fclient" },
    { ...FINISHED, source: "%" },
    { ...FINISHED, source: "//elsewhere.example/%00?" },
    { ...FINISHED, time: "yesterday" },
    { ...FINISHED, datacontenttype: "text/plain" },
    { ...FINISHED, data: undefined, data_base64: "e30=" },
    { ...FINISHED, data: { ...data, durationMs: -1 } },
    { ...FINISHED, data: { ...data, durationMs: 1e300 } },
    { ...FINISHED, data: { ...data, release: "sha256:../../x" } },
    { ...FINISHED, data: { ...data, error: { code: "X", message: "m".repeat(5_000) } } },
    { ...FINISHED, data: { ...data, steps: Array(101).fill(data.steps[0]) } },
  ];
  const { events, invalid } = parseBatch([...bad, FINISHED]);
  assert.deepEqual([events.length, invalid], [1, bad.length]);
});

Deno.test("every name of a node has one source, and every source one name", () => {
  const names = fc.string({ minLength: 1, maxLength: 60, unit: anyCharacter });
  fc.assert(fc.property(names, (node) => {
    const source = sourceOf(node);
    assert.match(source, /^[A-Za-z0-9\-_.!~*'()%/]+$/);
    assert.equal(nodeOf(source), node.toWellFormed());
  }));
});

Deno.test("the shared schema imports only Zod and uses no API of a runtime", () => {
  const imports = {
    schema: ["zod", "./event_names.ts"],
    parse_batch: ["./event_names.ts", "./schema.ts"],
    event_names: [],
  };
  for (const [file, imported] of Object.entries(imports)) {
    const text = Deno.readTextFileSync(join(PROJECT, `lib/wire/${file}.ts`));
    const code = text.replace(/^\s*(?:\*|\/\*).*$/gm, "");
    assert.deepEqual(Array.from(code.matchAll(/from "([^"]+)"/g), ([, name]) => name), imported);
    assert.doesNotMatch(code, /\b(?:Deno|process)\b|"node:|import\(/);
  }
});
