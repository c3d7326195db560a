import assert from "node:assert/strict";
import { join } from "node:path";
import { diagnose } from "../../lib/doctor/diagnose.ts";
import { UNUSED } from "../../lib/status/machine_use.ts";
import { startGitServer } from "../../fakes/git_server.ts";
import { loadText } from "../helpers/complete_settings.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

const TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

Deno.test("diagnose() checks the scopes of a token at the API of an Enterprise server", async () => {
  using dir = tempDir();
  bareRepository(join(dir.path, "repositories/registry.git"));
  await using server = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN });
  server.intercept = (_request, path) =>
    path === "/api/v3/rate_limit"
      ? new Response("{}", { headers: { "x-oauth-scopes": "public_repo" } })
      : undefined;
  const diagnosed = async (variables: Readonly<Record<string, string>>) => {
    const env = fixedEnvironment({ REGISTRY_TOKEN: TOKEN, ...variables });
    const repo_url = `${server.origin}/registry.git`;
    const config = await loadText(JSON.stringify({ model_sync: { repo_url, token_env: "REGISTRY_TOKEN" } }));
    const context = testContext({ env, fs: rootedFs(dir.path) });
    const location = { modelsDir: join(dir.path, "models"), stateDir: undefined };
    return await diagnose({ context, config, location, isFileNamed: true, roles: undefined, use: UNUSED });
  };
  const enterprise = await diagnosed({ GITHUB_SERVER_URL: server.origin });
  assert.deepEqual(
    enterprise.filter(({ name }) => name === "token").map(({ status, detail }) => ({ status, detail })),
    [{ status: "warn", detail: 'its scopes are "public_repo", without repo' }],
  );
  // A host that is not GitHub gets no such request.
  const before = server.requests.length;
  const other = await diagnosed({});
  assert.deepEqual(other.filter(({ name }) => name === "token"), []);
  assert.equal(server.requests.slice(before).some(({ path }) => path.includes("rate_limit")), false);
});
