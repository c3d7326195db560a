import assert from "node:assert/strict";
import { join } from "node:path";
import { DemoDashboard } from "../../configs/demo/demo_dashboard.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { runRecordOf } from "../helpers/report_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Loads a page until it says something. */
async function untilPageSays(url: string, texts: readonly string[]): Promise<void> {
  for (;;) {
    const response = await fetch(url);
    const page = await response.text();
    assert.equal(response.status, 200, page);
    if (texts.every((text) => page.includes(text))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("the demo's dashboard shows the folders that played machines, and the simulated nodes", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "bot/configs/bot.yaml": "model_sync: {}\n", "notes/todo.txt": "" });
  appendHistory(openStore(Deno, { modelsDir: join(dir.path, "bot/models") }), runRecordOf(1));
  const dashboard = await DemoDashboard.open(dir.path, { hostname: "127.0.0.1", port: 0 });
  const shown = dashboard.show(3);
  await untilPageSays(dashboard.url, [">bot<", ">train-1<", ">bot-paris<", ">bot-frankfurt<"]);
  dashboard.stop();
  await shown;
  await dashboard[Symbol.asyncDispose]();
});

Deno.test("the demo's dashboard does not listen where other machines reach it without a password", async () => {
  using dir = tempDir();
  await assert.rejects(DemoDashboard.open(dir.path, { hostname: "0.0.0.0", port: 0 }), { exitCode: 2 });
});
