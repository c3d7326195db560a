import assert from "node:assert/strict";
import { ConfigError } from "../../lib/config/config_error.ts";
import { loadConfig } from "../../lib/config/load.ts";
import { githubUrls } from "../../lib/github/github_access.ts";
import { HUB_VARIABLE } from "../../lib/huggingface/hub_settings.ts";
import { parseRemoteUrl } from "../../lib/git/remote_url.ts";
import { deployTargets, RAILWAY_VARIABLE } from "../../lib/redeploy/deploy_targets.ts";
import { findWebAddress } from "../../lib/http/web_address.ts";
import { WorkerApi } from "../../lib/runpod/worker_api.ts";
import { addressProblems } from "../../lib/doctor/address_problems.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

/** Addresses that people paste, and that `URL` refuses or silently reads as something else. */
const BAD = [
  "https://[::1",
  "https://[::1]:99999",
  "https://",
  "http:///",
  "https:example.org",
  "https://exa\nmple.org",
  "https://example .org",
  "https://example.org/a\u0000b",
  "https://%zz/",
];
const NO_ADDRESS = ["not a url", "example.org", "//example.org", "file:///etc/passwd", "javascript:alert(1)"];

const load = (model_sync: unknown) =>
  loadConfig({
    file: "bot.yaml",
    isFileRequired: true,
    flags: [],
    env: fixedEnvironment({}),
    readText: () => JSON.stringify({ model_sync }).replace(/^/, "# YAML takes JSON\n"),
  });

/** Every setting that is the address of a server, with a configuration that sets it. */
const SETTINGS: Readonly<Record<string, (url: string) => unknown>> = {
  "redeploy.verify_url": (verify_url) => ({ redeploy: { verify_url } }),
  "runpod.trigger_url": (trigger_url) => ({ runpod: { trigger_url } }),
  "runpod.status_url_template": (url) => ({ runpod: { status_url_template: `${url}/{job_id}` } }),
  "references.primary_url": (primary_url) => ({ references: { primary_url } }),
  "references.github_proxy_url_base": (url) => ({ references: { github_proxy_url_base: url } }),
  "alerts.webhook.url": (url) => ({ alerts: { webhook: { url } } }),
  "alerts.chat.0.url": (url) => ({ alerts: { chat: [{ type: "slack", url }] } }),
  "activation.reload.0.url": (url) => ({ activation: { reload: [{ type: "http", url }] } }),
  "activation.canary.metrics.0.url": (url) => ({
    activation: { canary: { metrics: [{ name: "m", type: "http", url, path: "a", direction: "higher" }] } },
  }),
};

async function complaintsOf(model_sync: unknown): Promise<readonly string[]> {
  try {
    await load(model_sync);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.exitCode, 2);
    return error.complaints;
  }
  return [];
}

for (const [key, setting] of Object.entries(SETTINGS)) {
  Deno.test(`${key} accepts the address of a server, and a complaint names every other value`, async () => {
    assert.deepEqual(await complaintsOf(setting("https://[::1]:8443/a")), []);
    for (const url of [...BAD, ...NO_ADDRESS]) {
      const [complaint = "", ...others] = await complaintsOf(setting(url));
      assert.ok(complaint.includes(`model_sync.${key}`), `${JSON.stringify(url)}: ${complaint}`);
      assert.deepEqual(others, []);
    }
  });
}

Deno.test("repo_url accepts an address, host:path and a path, and refuses broken web addresses", async () => {
  const good = ["git@github.com:a/b.git", "ssh://git@h/a.git", "../registry.git", "C:\\registry", "/srv/r"];
  for (const repo_url of [...good, "file:///srv/r", "https://me:token@h.example/a.git"]) {
    assert.deepEqual(await complaintsOf({ repo_url }), [], repo_url);
  }
  for (
    const repo_url of [
      ...BAD,
      "--upload-pack=touch x",
      "-u",
      "a\nb",
      " https://h.example/a.git",
      "/srv/r ",
      "://",
      "::",
      "ext::sh -c 'touch x'",
      "FD::3",
      "https://h.example/a.git?token=t",
    ]
  ) {
    const [complaint = ""] = await complaintsOf({ repo_url });
    assert.match(complaint, /model_sync\.repo_url/, JSON.stringify(repo_url));
  }
});

Deno.test("a broken address in the configuration of a clone has no origin", () => {
  for (const url of BAD) assert.equal(parseRemoteUrl(url).origin, undefined, url);
});

Deno.test("alerts.email.host accepts a host name or an IP address", async () => {
  const email = (host: string) => ({ alerts: { email: { host, from: "a@b.c", to: "a@b.c" } } });
  for (
    const host of ["smtp.gmail.com", "localhost", "127.0.0.1", "::1", "[::1]", "mail_1", "bücher.example"]
  ) {
    assert.deepEqual(await complaintsOf(email(host)), [], host);
  }
  for (const host of ["smtp://h", "h:25", "a b", "h/", "-h", "a\u0000", "user@h", "https://[::1"]) {
    assert.match((await complaintsOf(email(host)))[0] ?? "", /model_sync\.alerts\.email\.host/, host);
  }
});

Deno.test("a variable with a broken address is an error with exit code 2 that names the variable", () => {
  for (const url of [...BAD, ...NO_ADDRESS]) {
    const reads: Readonly<Record<string, (name: string) => unknown>> = {
      GITHUB_API_URL: (name) => githubUrls(fixedEnvironment({ [name]: url })),
      GITHUB_SERVER_URL: (name) => githubUrls(fixedEnvironment({ [name]: url })),
      HF_ENDPOINT: (name) => findWebAddress(fixedEnvironment({ [name]: url }), HUB_VARIABLE),
      RAILWAY_API_URL: (name) => findWebAddress(fixedEnvironment({ [name]: url }), RAILWAY_VARIABLE),
      RENDER_DEPLOY_HOOK: (name) => deployTargets([], fixedEnvironment({ [name]: url })),
      RUNPOD_WEBHOOK_GET_JOB: (name) => new WorkerApi(fixedEnvironment({ [name]: url })),
    };
    for (const [name, read] of Object.entries(reads)) {
      assert.throws(() => read(name), { exitCode: 2, message: new RegExp(`${name}\\b`) }, `${name}=${url}`);
    }
  }
});

Deno.test("a proxy variable accepts host:port or an address, and errors do not show its password", () => {
  const problems = (value: string) => addressProblems(fixedEnvironment({ https_proxy: value }));
  for (const value of ["", "proxy:3128", "http://u:p@proxy:3128/", "socks5h://127.0.0.1:1080", "[::1]:80"]) {
    assert.deepEqual(problems(value), [], value);
  }
  for (const value of ["not a url", ":", "http://u:hunter2@[::1", "http://h:99999"]) {
    assert.deepEqual(problems(value), ["Cannot use https_proxy: it is not the address of a proxy"], value);
  }
});

Deno.test("doctor and config check name a variable with a broken address in one line and exit with 2", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "configs/bot.yaml": "model_sync: {repo_url: ../none.git}\n" });
  for (const name of ["GITHUB_API_URL", "GITHUB_SERVER_URL", "HF_ENDPOINT", "HTTPS_PROXY"]) {
    const options = { cwd: dir.path, env: { [name]: "not a url" } };
    const doctor = await runCli("doctor", [], options);
    assert.equal(doctor.code, 2);
    assert.match(doctor.stderr, new RegExp(`^error: Cannot use ${name}: .*\\nnext: .*\\n$`));
    const check = await runCli("config", ["check"], options);
    assert.equal(check.code, 2);
    assert.match(check.stdout, new RegExp(`^✗ Cannot use ${name}: .*\\n$`));
  }
});
