import assert from "node:assert/strict";
import { Report } from "../../lib/config/sections/report.ts";
import { receiverOf } from "../../lib/reporting/receiver.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

Deno.test("events go to /api/v1/events below the dashboard's address, however that is spelled", () => {
  const env = fixedEnvironment({});
  const addresses = {
    "https://h.example": "https://h.example/api/v1/events",
    "https://h.example/": "https://h.example/api/v1/events",
    "https://h.example/fleet//": "https://h.example/fleet/api/v1/events",
    "https://h.example/fleet?a=1#top": "https://h.example/fleet/api/v1/events?a=1",
    "http://127.0.0.1:8080/api/v1/events": "http://127.0.0.1:8080/api/v1/events",
    "http://[::1]:8080/api/v1/events/": "http://[::1]:8080/api/v1/events",
  };
  for (const [url, expected] of Object.entries(addresses)) {
    assert.equal(receiverOf(env, Report.parse({ url }))?.url, expected);
  }
  assert.equal(receiverOf(env, Report.parse({})), undefined);
});

Deno.test("report.node must be a name that a page can show, and report.url must not hold a password", () => {
  for (const node of ["bot-1", "bot-1/live", "Büro 2", "a", "x".repeat(128)]) {
    assert.equal(Report.safeParse({ node }).success, true, node);
  }
  for (const node of ["", " ", "/a", "a/", " a", "a\n", "a\u0000b", "a\u202eb", "x".repeat(129), "\ud800"]) {
    assert.equal(Report.safeParse({ node }).success, false, JSON.stringify(node));
  }
  for (const url of ["ftp://h", "h.example", "https://me:pw@h.example", "https://"]) {
    assert.equal(Report.safeParse({ url }).success, false, url);
  }
  for (const metrics_file of ["a.txt", ".prom", "/folder/.prom", ""]) {
    assert.equal(Report.safeParse({ metrics_file }).success, false, metrics_file);
  }
});
