import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { systemClock } from "../../lib/core/clock.ts";
import { metricsText } from "../../lib/metrics/metrics_text.ts";
import { createToken } from "../../web/access/tokens.ts";
import { openKv } from "../../web/store/open_kv.ts";
import { DOCKER } from "../helpers/compose.ts";
import { GrafanaDashboard, grafanaQueries } from "../helpers/grafana.ts";
import { parseMetrics } from "../helpers/parse_metrics.ts";
import { type Answer, HAS_PROMETHEUS, startPrometheus, WITHOUT_PROMETHEUS } from "../helpers/prometheus.ts";
import { HAS_PROMTOOL, WITHOUT_PROMTOOL } from "../helpers/promtool.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { startCli } from "../helpers/start_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { SOURCE } from "../metrics/metrics_source.ts";

const read = (path: string) => Deno.readTextFileSync(join(DOCKER, path));

const DASHBOARD = GrafanaDashboard.parse(JSON.parse(read("grafana/dashboards/model-sync.json")));
const QUERIES = grafanaQueries(DASHBOARD);

Deno.test({
  name:
    `promtool accepts the configuration of Prometheus, and the tests of its rules pass${WITHOUT_PROMTOOL}`,
  ignore: !HAS_PROMTOOL,
  async fn() {
    const calls = [["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml"]];
    await Promise.all(calls.map(async (args) => {
      const { success, stdout, stderr } = await new Deno.Command("promtool", {
        args,
        cwd: join(DOCKER, "prometheus"),
        stdin: "null",
      }).output();
      assert.ok(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    }));
    const tests = read("prometheus/rules_test.yml");
    const rules = read("prometheus/rules.yml");
    for (const [, name = ""] of rules.matchAll(/- (?:alert|record): (\S+)$/gm)) {
      assert.ok(tests.includes(name), name);
    }
    const listed = read("../../.github/guides/containers.md").matchAll(/^\| `(ModelSync\w+)`/gm);
    assert.deepEqual(
      Array.from(listed, ([, name]) => name),
      Array.from(rules.matchAll(/- alert: (\S+)$/gm), ([, name]) => name),
    );
  },
});

Deno.test("the Grafana dashboard shows every metric of a store, and its panels fit together", () => {
  const text = JSON.stringify(QUERIES);
  const rules = read("prometheus/rules.yml");
  const shown = (name: string) => new RegExp(`\\b${name}(_bucket|_sum)?\\b`).test(text + rules);
  for (const name of parseMetrics(metricsText(SOURCE)).keys()) assert.ok(shown(name), name);
  for (const [, record = ""] of rules.matchAll(/- record: (\S+)$/gm)) {
    assert.ok(text.includes(record), record);
  }
  const source = read("grafana/provisioning/datasources/prometheus.yml");
  const [uid] = DASHBOARD.templating.list.flatMap(({ name, current }) =>
    name === "datasource" ? [current.value] : []
  );
  assert.match(source, new RegExp(`^    uid: ${uid}$`, "m"));
  const ids = DASHBOARD.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const cells = new Set<string>();
  for (const { title, gridPos: { x, y, w, h } } of DASHBOARD.panels) {
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        assert.ok(!cells.has(`${column} ${line}`), `${title} lies over another panel`);
        cells.add(`${column} ${line}`);
      }
    }
  }
});

/** The configuration of the compose file with everything that it has as a comment, in a test's time and at its addresses. */
function configuration(targets: Readonly<Record<string, string>>): string {
  const all = read("prometheus/prometheus.yml")
    .replace(/^ {2}# - job_name[^]*$/m, (job) => job.replaceAll(/^ {2}# /gm, "  "))
    .replaceAll(/_interval: 30s/g, "_interval: 200ms");
  return Object.entries(targets).reduce((text, [name, address]) => {
    assert.ok(text.includes(`"${name}"`), name);
    return text.replace(`"${name}"`, `"${address}"`);
  }, all);
}

Deno.test({
  name:
    `Prometheus scrapes the daemon and the dashboard, and evaluates every rule and every query of Grafana${WITHOUT_PROMETHEUS}`,
  ignore: !HAS_PROMETHEUS,
  async fn() {
    using dir = tempDir();
    const { trainer, bot, registry } = world(dir);
    await runJson(trainer, "publish", "--skip-training");
    await runJson(bot, "pull");
    writeFiles(trainer, { "models/BTC_USDC/rf.bin": "retrained" });
    const { release } = await runJson(trainer, "publish", "--skip-training");
    Deno.renameSync(registry, `${registry}.away`);
    assert.notEqual((await run(bot, "pull")).code, 0);
    Deno.renameSync(`${registry}.away`, registry);

    const daemon = startCli("daemon", ["--role", "client", "--health-listen", "127.0.0.1:0"], { cwd: bot });
    const env = { MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse battery staple" };
    const dashboard = startCli("dashboard", ["--listen", "127.0.0.1:0"], { cwd: bot, env });
    const [, scraped = ""] = /http:\/\/(\S+):/.exec(await daemon.until(/listens on \S+:/)) ?? [];
    const [, fleet = ""] = /http:\/\/(\S+)/.exec(await dashboard.until(/dashboard: http:\S+\n/)) ?? [];
    writeFiles(dir.path, {
      "prometheus/prometheus.yml": configuration({
        "model-sync-runpod:9464": scraped,
        "dashboard:8080": fleet,
      }),
      "prometheus/rules.yml": read("prometheus/rules.yml").replace("interval: 1m", "interval: 200ms"),
      "prometheus/dashboard_token": await readToken(join(bot, ".model-sync/dashboard/kv.sqlite3")),
    });
    await using prometheus = await startPrometheus(join(dir.path, "prometheus"));
    const value = async (query: string) =>
      (await prometheus.query(query)).map((sample) => Number(sample.value[1]));

    await prometheus.until(`model_sync_runs_total{command="pull",outcome="activated"}`);
    await runJson(bot, "pull");
    // An increase needs a sample before the run and one after it.
    await prometheus.until(
      `sum(increase(model_sync_runs_total{command="pull",outcome="activated"}[1m])) > 0`,
    );
    await prometheus.until(`model_sync:run_duration_seconds:p95_1d > 0`);

    assert.deepEqual(await value(`min(up{job=~"model-sync|model-sync-dashboard"})`), [1]);
    const results = new Map<string, readonly Answer[]>();
    for (const { title, expr } of QUERIES) {
      const query = expr.replaceAll("$store", ".*").replaceAll("$__rate_interval", "1m");
      assert.doesNotMatch(query, /\$[a-z_{]/, title);
      results.set(title, [...results.get(title) ?? [], ...await prometheus.query(query)]);
    }
    const empty = QUERIES.map(({ title }) => title).filter((title) => results.get(title)?.length === 0);
    assert.deepEqual(empty, ["Alerts"]);
    const only = (title: string) =>
      results.get(title)?.map(({ metric, value }) => [metric, Number(value[1])]) ?? [];
    const store = join(Deno.realPathSync(bot), ".model-sync");
    assert.deepEqual(
      only("Release").map(([metric]) =>
        z.object({ release: z.string(), short: z.string() }).loose().parse(metric)
      ).map(
        ({ release, short }) => [release, short],
      ),
      [[release, String(release).slice("sha256:".length).slice(0, 12)]],
    );
    for (const title of ["Sequence", "Sequence over time"]) assert.deepEqual(only(title)[0]?.[1], 2, title);
    assert.deepEqual(only("Refused").map(([, count]) => count), [0, 0]);
    assert.deepEqual(only("Withdrawn")[0]?.[1], 0);
    assert.deepEqual(
      await value(`sum by (command) (model_sync_runs_total{command="pull",store="${store}"})`),
      [3],
    );
    assert.deepEqual(await value(`model_sync_last_outcome{command="pull",outcome="activated"}`), [1]);

    const rules = await prometheus.rules();
    assert.deepEqual(rules.length, [...read("prometheus/rules.yml").matchAll(/- (?:alert|record):/g)].length);
    for (const { name, health, lastError } of rules) {
      assert.deepEqual([health, lastError ?? ""], ["ok", ""], name);
    }
    dashboard.stop();
    daemon.stop();
    assert.deepEqual([await daemon.exitCode, await dashboard.exitCode], [0, 0]);
  },
});

/** Creates a read token, as the settings page of the dashboard does. */
async function readToken(database: string): Promise<string> {
  const { log, env } = testContext();
  using kv = await openKv(database, env);
  const { secret } = await createToken({ kv, clock: systemClock, log }, "read", "prometheus");
  return secret;
}
