import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import * as z from "zod";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { currentToken } from "../../lib/github/github_access.ts";
import { appTokens } from "../../lib/github/github_app.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { githubRequest } from "../../lib/github/github_request.ts";
import { githubCredentials, githubToken } from "../../lib/github/github_credentials.ts";
import { GitHubPullsServer } from "../../fakes/github_pulls_server.ts";
import { problem } from "../../fakes/github_answers.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const NEVER_MS = 24 * 3_600_000;
const NOWHERE = { apiUrl: "http://127.0.0.1", serverUrl: "", timeoutMs: NEVER_MS };
const NAMES = ["HORDE_GITHUB_SYNC_GITHUB_TOKEN", "GITHUB_TOKEN"];
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PKCS1 = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
const PKCS8 = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const APP = { id: "12345", installationId: "678" };
const VARIABLES = { GITHUB_APP_ID: APP.id, GITHUB_APP_INSTALLATION_ID: APP.installationId };

/** Returns the credentials that the environment holds, with the warnings. */
function read(variables: Record<string, string>, files: Readonly<Record<string, string>> = {}) {
  return Promise.try(() => {
    using dir = tempDir();
    writeFiles(dir.path, files);
    const context = testContext({ env: fixedEnvironment(variables), fs: rootedFs(dir.path) });
    const credentials = githubCredentials(context, NAMES);
    return { credentials, warnings: context.log.lines };
  });
}

/** Runs a test with a GitHub that knows the App. */
async function bench(
  work: (bench: {
    github: GitHubPullsServer;
    clock: QuickClock;
    tokens: (changed?: Partial<typeof APP & { readonly pem: string }>) => () => Promise<Secret>;
    client: (token: () => Promise<Secret>) => Promise<GitHubClient>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new QuickClock("2026-11-21T00:00:00Z");
  await using github = new GitHubPullsServer(clock, () => undefined);
  github.addRepository("you/registry", { isPrivate: true });
  github.addApp({ ...APP, publicKey: publicKey.export({ type: "spki", format: "pem" }).toString() });
  const server = { apiUrl: github.apiUrl, serverUrl: "https://github.com", timeoutMs: NEVER_MS };
  const tokens = ({ pem = PKCS1, ...changed }: Partial<typeof APP & { readonly pem: string }> = {}) =>
    appTokens(testContext({ clock }), server, { ...APP, ...changed, privateKey: new Secret(pem) });
  const client = (token: () => Promise<Secret>) =>
    GitHubClient.open(testContext({ clock }), { ...server, token });
  await work({ github, clock, tokens, client });
}

for (const [form, pem] of [["PKCS#1", PKCS1], ["PKCS#8", PKCS8]] as const) {
  Deno.test(`appTokens() signs in with a key in the form of ${form}`, () =>
    bench(async ({ github, tokens }) => {
      const token = await tokens({ pem })();
      assert.ok(github.accepts(token.reveal()));
      assert.equal(`${token}`, "[redacted]");
    }));
}

Deno.test("appTokens() requests one token an hour, and a new one five minutes before the old one expires", () =>
  bench(async ({ github, clock, tokens }) => {
    const current = tokens();
    const first = await current();
    clock.advance(55 * 60_000);
    assert.equal((await current()).reveal(), first.reveal());
    assert.equal(github.requests.length, 1);
    clock.advance(1);
    const second = await current();
    assert.notEqual(second.reveal(), first.reveal());
    clock.advance(10 * 60_000);
    assert.ok(!github.accepts(first.reveal()));
    assert.ok(github.accepts(second.reveal()));
  }));

Deno.test("appTokens() says which settings to check when GitHub does not know the App", () =>
  bench(async ({ github, clock, tokens }) => {
    const refused = async (current: () => Promise<Secret>, said: RegExp) =>
      await fails(current(), 3, "APP_REFUSED", said, /GITHUB_APP_INSTALLATION_ID .* clock/);
    await refused(tokens({ id: "1" }), /GitHub App 1: .* answered 404 \(Integration not found/);
    await refused(
      tokens({ installationId: "9" }),
      /Cannot make a token for installation 9 .* 404 \(Not Found/,
    );
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const pem = other.export({ type: "pkcs8", format: "pem" }).toString();
    await refused(tokens({ pem }), /401 \(A JSON web token could not be decoded/);
    const late = new QuickClock(new Date(clock.now().getTime() + 11 * 60_000).toISOString());
    const server = { apiUrl: github.apiUrl, serverUrl: "", timeoutMs: NEVER_MS };
    const app = { ...APP, privateKey: new Secret(PKCS1) };
    await refused(appTokens(testContext({ clock: late }), server, app), /'Issued at' claim/);
    const ahead = new QuickClock(new Date(clock.now().getTime() + 59_000).toISOString());
    assert.ok(await appTokens(testContext({ clock: ahead }), server, app)());
  }));

Deno.test("appTokens() refuses an unusable key and does not show it", () =>
  bench(async ({ tokens }) => {
    const broken = PKCS1.slice(0, 400);
    await fails(async () => await tokens({ pem: broken })(), 2, "APP_KEY_INVALID", /damaged/, /\.pem/);
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const pem = ec.export({ type: "pkcs8", format: "pem" }).toString();
    await fails(async () => await tokens({ pem })(), 2, "APP_KEY_INVALID", /of the type ec/, /\.pem/);
  }));

const PULLS = githubRequest((api) => api.pulls.list, { owner: "you", repo: "registry" }, {
  what: "the pull requests of you/registry",
  needs: "pull_requests:read",
});

Deno.test("GitHubClient uses a valid token for each request, also after the first one has expired", () =>
  bench(async ({ github, clock, tokens, client }) => {
    const opened = await client(tokens());
    await opened.send(PULLS, z.array(z.unknown()));
    clock.advance(3 * 3_600_000);
    await opened.send(PULLS, z.array(z.unknown()));
    assert.equal(github.writes.length, 2);
  }));

Deno.test("GitHubClient retries for some seconds while GitHub does not know an App's new token yet", () =>
  bench(async ({ github, clock, tokens, client }) => {
    const opened = await client(tokens());
    const unknown = () => problem(401, "Bad credentials");
    github.faults.push(undefined, unknown, unknown);
    await opened.send(PULLS, z.array(z.unknown()));
    assert.deepEqual(clock.pausesMs, [1000, 2000]);
    github.faults.push(unknown, unknown, unknown);
    await fails(opened.send(PULLS, z.array(z.unknown())), 3, "HTTP_401", /Bad credentials/, /token/);
  }));

Deno.test("githubCredentials() reads an App's key from a variable of one line, or from a file", async () => {
  const oneLine = PKCS1.trimEnd().replaceAll("\n", "\\n");
  const key = { GITHUB_APP_PRIVATE_KEY: oneLine };
  const path = { GITHUB_APP_PRIVATE_KEY_PATH: "run/app.pem" };
  const keys = [
    await read({ ...VARIABLES, ...key }),
    await read({ ...VARIABLES, GITHUB_APP_PRIVATE_KEY: PKCS1 }),
    await read({ ...VARIABLES, ...path }, { "run/app.pem": PKCS1.replaceAll("\n", "\r\n") }),
    await read({ ...VARIABLES, HOME: "run", GITHUB_APP_PRIVATE_KEY_PATH: "~/app.pem" }, {
      "run/app.pem": PKCS1,
    }),
  ];
  for (const { credentials, warnings } of keys) {
    assert.ok(credentials.kind === "app");
    const { privateKey, ...names } = credentials.app;
    assert.deepEqual(names, APP);
    assert.equal(privateKey.reveal().replaceAll("\r", ""), PKCS1);
    assert.equal(typeof githubToken(testContext(), NOWHERE, credentials), "function");
    assert.deepEqual(warnings, []);
  }
  await fails(
    read({ ...VARIABLES, ...key, ...path }),
    2,
    "APP_INVALID",
    /both .*KEY and .*KEY_PATH/,
    /unset/,
  );
  await fails(read({ ...VARIABLES, ...path }), 2, "APP_KEY_INVALID", /no such file/, /KEY_PATH/);
  const twisted = { ...VARIABLES, GITHUB_APP_PRIVATE_KEY: "run/app.pem" };
  await fails(read(twisted), 2, "APP_KEY_INVALID", /does not begin with -----BEGIN/, /KEY_PATH/);
  const named = { ...VARIABLES, GITHUB_APP_INSTALLATION_ID: "you", ...key };
  await fails(read(named), 2, "APP_INVALID", /INSTALLATION_ID is not a number/, /installations/);
});

Deno.test("githubCredentials() prefers an App to a token, and refuses an incomplete App unless there is a token", async () => {
  const whole = { ...VARIABLES, GITHUB_APP_PRIVATE_KEY: PKCS1 };
  const both = await read({ ...whole, GITHUB_TOKEN: "ghp_1" });
  assert.equal(both.credentials.kind, "app");
  assert.deepEqual(both.warnings, ["warn The GitHub App is used, not the token of GITHUB_TOKEN"]);
  const part = await read({ ...VARIABLES, GITHUB_TOKEN: "ghp_1" });
  assert.equal(part.credentials.kind, "token");
  assert.match(
    part.warnings.join(),
    /The token of GITHUB_TOKEN is used, not the GitHub App: .* set, GITHUB_APP_PRIVATE_KEY/,
  );
  await fails(read(VARIABLES), 2, "APP_INCOMPLETE", /GITHUB_APP_PRIVATE_KEY \(or .* is not$/, /set/);
  await fails(
    read({ GITHUB_APP_ID: "1" }),
    2,
    "APP_INCOMPLETE",
    /_ID is set, .*INSTALLATION_ID is not/,
    /set/,
  );
  const blank = await read({ GITHUB_APP_ID: " ", GITHUB_TOKEN: "" });
  assert.deepEqual(blank, { credentials: { kind: "none" }, warnings: [] });
});

Deno.test("githubCredentials() prefers the token of its own variable to the common one and logs that", async () => {
  const own = await read({ HORDE_GITHUB_SYNC_GITHUB_TOKEN: " ghp_own\n", GITHUB_TOKEN: "ghp_common" });
  assert.equal((await tokenOf(own.credentials))?.reveal(), "ghp_own");
  assert.match(
    own.warnings.join(),
    /HORDE_GITHUB_SYNC_GITHUB_TOKEN is used, not the other one of GITHUB_TOKEN/,
  );
  assert.ok(!own.warnings.join().includes("ghp_"));
  const same = await read({ HORDE_GITHUB_SYNC_GITHUB_TOKEN: "ghp_1", GITHUB_TOKEN: "ghp_1" });
  assert.deepEqual(same.warnings, []);
  const common = await read({ GITHUB_TOKEN: "ghp_common" });
  assert.equal((await tokenOf(common.credentials))?.reveal(), "ghp_common");
  assert.equal(await tokenOf((await read({})).credentials), undefined);
});

function tokenOf(credentials: Awaited<ReturnType<typeof read>>["credentials"]): Promise<Secret | undefined> {
  return currentToken(githubToken(testContext(), NOWHERE, credentials));
}

async function fails(
  work: Promise<unknown> | (() => Promise<unknown>),
  exitCode: number,
  code: string,
  message: RegExp,
  hint: RegExp,
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(error.exitCode, exitCode);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return !/MII[A-Za-z0-9+/]{20}/.test(Deno.inspect(error));
  });
}
