import assert from "node:assert/strict";
import { exactUtc, timeWords, wallTime, zoneOffset } from "../../../web/shared/time_words.ts";

const NOW = new Date("2026-11-29T08:31:08Z");

function after(seconds: number): Date {
  return new Date(NOW.getTime() + seconds * 1000);
}

Deno.test("a relative time has one unit", () => {
  const words = (seconds: number) => timeWords(after(seconds), "ago", NOW, "UTC");
  assert.equal(words(0), "just now");
  assert.equal(words(1.9), "just now");
  assert.equal(words(-2), "2 s ago");
  assert.equal(words(-59.9), "59 s ago");
  assert.equal(words(-60), "1 min ago");
  assert.equal(words(38 * 60), "in 38 min");
  assert.equal(words(-3600), "1 h ago");
  assert.equal(words(-47.9 * 3600), "47 h ago");
  assert.equal(words(-48 * 3600), "2 d ago");
  assert.equal(words(400 * 86400), "in 400 d");
});

Deno.test("a time of day names its day by the reader's calendar", () => {
  const words = (at: string, zone = "UTC") => timeWords(new Date(at), "clock", NOW, zone);
  assert.equal(words("2026-11-29T06:00:00Z"), "today 06:00");
  assert.equal(words("2026-11-30T06:00:00Z"), "tomorrow 06:00");
  assert.equal(words("2026-11-28T23:59:59Z"), "yesterday 23:59");
  assert.equal(words("2026-11-28T23:59:59Z", "Europe/Paris"), "today 00:59");
  assert.equal(words("2026-11-29T23:00:00Z", "Europe/Paris"), "tomorrow 00:00");
  assert.equal(words("2026-11-29T08:00:00Z", "America/Los_Angeles"), "today 00:00");
});

Deno.test("a weekday names only one of the next six days, and a year is shown only if it is not the current one", () => {
  const words = (at: string) => timeWords(new Date(at), "clock", NOW, "UTC");
  assert.equal(words("2026-12-05T06:00:00Z"), "Sat 06:00");
  assert.equal(words("2026-12-06T06:00:00Z"), "6 Dec 06:00");
  assert.equal(words("2026-11-27T06:00:00Z"), "27 Nov 06:00");
  assert.equal(words("2025-11-27T06:00:00Z"), "27 Nov 2025 06:00");
});

Deno.test("an exact time has seconds, and a date has no time", () => {
  assert.equal(
    timeWords(new Date("2026-11-29T05:00:09Z"), "exact", NOW, "Europe/Paris"),
    "29 Nov 2026 06:00:09",
  );
  assert.equal(timeWords(new Date("2026-11-29T23:30:00Z"), "date", NOW, "Europe/Paris"), "tomorrow");
  assert.equal(exactUtc(new Date("2026-11-29T06:31:08.999Z")), "2026-11-29 06:31:08 UTC");
});

Deno.test("wall times are right before and after a clock change, and in zones with half-hour offsets", () => {
  const hour = 3_600_000;
  assert.equal(zoneOffset(Date.parse("2026-10-25T00:59:59Z"), "Europe/Paris"), 2 * hour);
  assert.equal(zoneOffset(Date.parse("2026-10-25T01:00:00Z"), "Europe/Paris"), hour);
  assert.equal(zoneOffset(Date.parse("2026-11-29T00:00:00Z"), "Asia/Kathmandu"), 5.75 * hour);
  assert.equal(zoneOffset(Date.parse("2026-04-04T14:59:59Z"), "Australia/Lord_Howe"), 11 * hour);
  assert.equal(zoneOffset(Date.parse("2026-04-04T15:00:00Z"), "Australia/Lord_Howe"), 10.5 * hour);
  assert.equal(
    wallTime(new Date("2026-11-29T08:31:08Z"), "Asia/Tokyo").toISOString(),
    "2026-11-29T17:31:08.000Z",
  );
});

Deno.test("an invalid time is shown as unknown", () => {
  assert.equal(timeWords(new Date("yesterday"), "ago", NOW, "UTC"), "unknown");
  assert.equal(exactUtc(new Date("")), "unknown");
});
