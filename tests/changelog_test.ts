import assert from "node:assert/strict";
import { join } from "node:path";
import { VERSION } from "../lib/core/version.ts";
import { PROJECT } from "./helpers/run_cli.ts";

Deno.test("the changelog has the form of Keep a Changelog, and its newest version is that of deno.json", () => {
  const text = Deno.readTextFileSync(join(PROJECT, "CHANGELOG.md"));
  const headings = Array.from(text.matchAll(/^## (.*)$/gm), ([, heading = ""]) => heading);
  assert.equal(headings[0], "[Unreleased]");
  const releases = headings.slice(1).map((heading) => {
    const [, version, date] = /^\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$/.exec(heading) ?? [];
    assert.ok(version !== undefined && date !== undefined, heading);
    return { version, date };
  });
  assert.equal(releases[0]?.version, VERSION);
  const dates = releases.map(({ date }) => date);
  assert.deepEqual(dates, [...dates].sort().reverse());
  for (const [, heading = ""] of text.matchAll(/^### (.*)$/gm)) {
    assert.ok(["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"].includes(heading), heading);
  }
});
