import assert from "node:assert/strict";
import { intlOffset, isTimeZone, wallTime, zoneName, zoneOffset } from "../../lib/core/time_zone.ts";

Deno.test("a zone's offset is that of Intl, in winter and in summer of every decade", () => {
  const years = [1975, 1985, 1995, 2005, 2015, 2026, 2036];
  const times = years.flatMap((year) => [Date.UTC(year, 0, 15, 12, 1, 30), Date.UTC(year, 6, 15, 12)]);
  for (const zone of ["Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]) {
    const [ours, intl] = [zoneOffset(zone), intlOffset(zone)];
    for (const time of times) assert.equal(ours(time), intl(time), `${zone} at ${time}`);
  }
});

Deno.test("without a name, the zone is the machine's", () => {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  assert.equal(zoneName(undefined), timeZone);
  for (const time of [Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)]) {
    assert.equal(zoneOffset(undefined)(time), intlOffset(timeZone)(time));
  }
});

Deno.test("isTimeZone() knows names of zones and offsets, and refuses whole dates", () => {
  for (const name of ["Europe/Paris", "UTC", "america/new_york", "Etc/GMT+5", "+05:30"]) {
    assert.ok(isTimeZone(name), name);
  }
  for (
    const name of ["Europe/Pariss", "", "2026-01-01T00:00+01:00", "2026-01-01T00:00[UTC]", "Europe/Paris "]
  ) {
    assert.ok(!isTimeZone(name), name);
  }
  assert.equal(zoneName("europe/paris"), "Europe/Paris");
});

Deno.test("isTimeZone() refuses abbreviations that stand for several zones, and knows those of the IANA database", () => {
  for (const name of ["ACT", "AST", "CTT", "cst", "IST", "BST", "PST", "Factory", "SystemV/AST4"]) {
    assert.ok(!isTimeZone(name), name);
  }
  for (
    const name of ["UTC", "GMT", "est", "MST", "HST", "CET", "EET", "MET", "WET", "PRC", "ROC", "ROK", "UCT"]
  ) {
    assert.ok(isTimeZone(name), name);
  }
});

Deno.test("wallTime() shows what clocks show, across a change of clocks", () => {
  const shown = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"].map((time) =>
    wallTime(new Date(time), "Europe/Paris")
  );
  assert.deepEqual(shown, ["2026-03-29 01:59:59", "2026-03-29 03:00:00"]);
});

Deno.test("an empty TZ is UTC", () => {
  const module = new URL("../../lib/core/time_zone.ts", import.meta.url).href;
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["eval", `import { zoneName } from ${JSON.stringify(module)}; console.log(zoneName(undefined));`],
    env: { TZ: "" },
  }).outputSync();
  assert.equal(new TextDecoder().decode(stdout), "UTC\n");
});
