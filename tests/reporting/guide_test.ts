import assert from "node:assert/strict";
import { loadText } from "../helpers/complete_settings.ts";
import { guide } from "../helpers/pages.ts";

Deno.test("the monitoring guide's settings for reports are read as it explains them", async () => {
  const { report } = (await loadText(guide("monitoring.md").block("yaml reporting"))).settings;
  assert.deepEqual(report, {
    url: "https://models.example.com",
    token_env: "MODEL_SYNC_REPORT_TOKEN",
    node: "bot-1",
    interval_seconds: 60,
    ping: { url_env: "MODEL_SYNC_PING_URL", style: "healthchecks" },
  });
});
