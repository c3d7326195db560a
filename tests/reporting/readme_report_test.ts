import assert from "node:assert/strict";
import { join } from "node:path";
import { loadText } from "../helpers/complete_settings.ts";
import { PROJECT } from "../helpers/run_cli.ts";

Deno.test("the settings of reporting that the README shows are settings", async () => {
  const readme = Deno.readTextFileSync(join(PROJECT, "README.md"));
  const [, yaml = ""] = /^```yaml reporting\n([^]*?)^```$/m.exec(readme) ?? [];
  const { report } = (await loadText(yaml)).settings;
  assert.deepEqual(report, {
    url: "https://models.example.com",
    token_env: "MODEL_SYNC_REPORT_TOKEN",
    node: "bot-1",
    interval_seconds: 60,
    ping: { url_env: "MODEL_SYNC_PING_URL", style: "healthchecks" },
  });
});
