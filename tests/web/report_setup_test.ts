import assert from "node:assert/strict";
import { FailedError, LockedError } from "../../lib/core/errors.ts";
import type { PasswordSource } from "../../web/access/password_source.ts";
import { reportSetup } from "../../web/report_setup.ts";
import { fixedEnvironment, recordedLog } from "../helpers/test_context.ts";

const PASSWORD = "correct horse battery staple";

async function said(env: Record<string, string>, source: PasswordSource | Error): Promise<string[]> {
  const log = recordedLog();
  const setup = { env: fixedEnvironment(env), isDeploy: true };
  await reportSetup(
    log,
    setup,
    () =>
      source instanceof Error
        ? Promise.reject(source)
        : Promise.resolve({ access: { password: () => Promise.resolve(source) } }),
  );
  return log.lines;
}

Deno.test("a hosted dashboard logs at its start that the database and the password are missing, and how to add each", async () => {
  const missing = new FailedError("Cannot open the database", {
    code: "DATABASE_NOT_ASSIGNED",
    hint: "assign one",
  });
  const [database = "", password = "", ...others] = await said({}, missing);
  assert.match(database, /^error Cannot open the database; assign one$/);
  assert.match(
    password,
    /^error Cannot show the dashboard: no password is set.*MODEL_SYNC_DASHBOARD_PASSWORD as a secret/,
  );
  assert.deepEqual(others, []);
  assert.equal((await said({ MODEL_SYNC_DASHBOARD_PASSWORD: PASSWORD }, missing)).length, 1);
  const locked = new LockedError("Cannot open the database", { code: "DATABASE_LOCKED", hint: "wait" });
  assert.deepEqual(
    await said({}, locked),
    ["error Cannot open the database; wait"],
    "it may hold the password",
  );
  assert.match((await said({}, { kind: "none" })).join(), /^error [^\n]*no password is set/);
  assert.match((await said({}, { kind: "broken", fault: "too short" })).join(), /^error [^\n]*too short/);
  const set = {
    kind: "set",
    password: { variable: undefined, fingerprint: "", matches: () => Promise.resolve(true) },
  } as const;
  assert.deepEqual(await said({}, set), ["info the dashboard has its database and a password"]);
});
