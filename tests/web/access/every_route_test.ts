import assert from "node:assert/strict";
import { methodsOf } from "../../../web/access/areas.ts";
import { openDashboard } from "../../../web/open_dashboard.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { fixedEnvironment, recordedLog } from "../../helpers/test_context.ts";

/** Addresses for everyone, which reveal nothing about the fleet. */
const OPEN = [
  "/healthz",
  "/robots.txt",
  "/favicon.svg",
  "/favicon.ico",
  "/static/x",
  "/sign-in",
  "/api/v1/openapi.json",
];

Deno.test("every route needs a sign-in, except those that reveal nothing about the fleet", async () => {
  const kv = await Deno.openKv(":memory:");
  const web = { kv, clock: new FakeClock("2026-11-29T12:00:00Z"), log: recordedLog() };
  const env = fixedEnvironment({ MODEL_SYNC_DASHBOARD_PASSWORD: "correct horse" });
  const { app, live } = openDashboard(web, { env, isLoopback: true, isDeploy: false });
  try {
    const routes = app.routes.filter(({ method }) => method !== "ALL");
    assert.ok(routes.length > 15);
    for (const { method, path } of routes) {
      const address = path.replace(/:\w+(\{[^}]*\})?/g, "x").replaceAll("*", "x");
      assert.ok(methodsOf(address).includes(method), `the guard lets no ${method} through to ${address}`);
      const origin = "http://localhost";
      const response = await app.request(`${origin}${address}`, { method, headers: { origin } });
      await response.body?.cancel();
      if (method === "GET" && OPEN.includes(address)) assert.ok(response.status < 500, address);
      else if (/^\/sign-(in|out)$/.test(address)) assert.ok([303, 415].includes(response.status), address);
      else assert.ok([303, 401].includes(response.status), `${method} ${address}: ${response.status}`);
    }
  } finally {
    live.close();
    kv.close();
  }
});
