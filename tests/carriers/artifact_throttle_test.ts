import assert from "node:assert/strict";
import { join } from "node:path";
import { rememberAnsweredPull, throttleArtifacts } from "../../lib/carriers/artifact_throttle.ts";
import { githubActionsSettings } from "../../lib/carriers/github_actions_settings.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { openStore } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const SKIPPED = "Rate limiting - skipping sync";

Deno.test("throttleArtifacts() skips a pull within five minutes of the last answered one, unless it is forced", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const settings = (branch: string) =>
    githubActionsSettings(
      ModelSync.parse({ artifacts: { owner: "you", repository: "bot", branch } }),
      fixedEnvironment({ GITHUB_TOKEN: "ghp_0123456789abcdefghijklmnopqrstuvwxyz" }),
      undefined,
      undefined,
    );
  const context = testContext();
  const pullAt = (time: string, { isForced = false, branch = "main" } = {}) => {
    const clock = new FakeClock(`2026-11-30T${time}Z`);
    const options = { minIntervalMinutes: 5, isForced };
    const reason = throttleArtifacts({ ...context, clock }, store, settings(branch), options);
    if (reason === undefined) rememberAnsweredPull(store, settings(branch), clock.now().toISOString());
    return reason;
  };
  assert.equal(pullAt("06:00:00"), undefined);
  assert.equal(pullAt("06:04:59"), SKIPPED);
  assert.deepEqual(context.log.lines, [
    "info the previous pull started 4 min 59 s ago; artifacts.min_interval_minutes is 5; " +
    "to pull now: model-sync artifact-pull --min-interval-minutes 0",
  ]);
  // A skipped pull is not a start.
  assert.equal(pullAt("06:05:00"), undefined);
  assert.equal(pullAt("06:05:01", { branch: "next" }), undefined);
  assert.equal(pullAt("06:06:00", { isForced: true }), undefined);
  assert.equal(pullAt("06:10:59"), SKIPPED);
  // The clock was set back: a start in the future delays nothing.
  assert.equal(pullAt("05:00:00"), undefined);
  assert.equal(pullAt("05:01:00"), SKIPPED);
});
