import assert from "node:assert/strict";
import { crossSiteFault } from "../../../web/access/cross_site.ts";
import { accessWorld, signedIn, WITH_PASSWORD } from "../../helpers/access_world.ts";

const OWN = "http://localhost:8080";

Deno.test("a form is accepted only from the dashboard's own page", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  const cookie = await signedIn(world);
  const cases: readonly (readonly [boolean, Record<string, string>])[] = [
    [true, { origin: OWN, "sec-fetch-site": "same-origin" }],
    [true, { origin: OWN }],
    [true, { "sec-fetch-site": "same-origin" }],
    // Behind a proxy that ends TLS, only the scheme differs.
    [true, { origin: "https://localhost:8080" }],
    [false, {}],
    [false, { referer: `${OWN}/settings` }],
    [false, { origin: "null" }],
    [false, { origin: "null", "sec-fetch-site": "same-origin" }],
    [false, { origin: "" }],
    [false, { origin: OWN, "sec-fetch-site": "cross-site" }],
    [false, { origin: OWN, "sec-fetch-site": "same-site" }],
    [false, { origin: OWN, "sec-fetch-site": "none" }],
    [false, { origin: OWN, "sec-fetch-site": "" }],
    [false, { origin: OWN, "sec-fetch-site": "same-origin, cross-site" }],
    [false, { origin: "https://evil.example", "sec-fetch-site": "same-origin" }],
    [false, { origin: "https://evil.example" }],
    [false, { origin: "http://localhost" }],
    [false, { origin: "http://localhost:8081" }],
    [false, { origin: "http://sub.localhost:8080" }],
    [false, { origin: "http://localhost:8080.evil.example" }],
    [false, { origin: "http://evil.example@localhost:8080" }],
    [false, { origin: `${OWN}/` }],
    [false, { origin: `${OWN} https://evil.example` }],
    [false, { origin: "ftp://localhost:8080" }],
  ];
  for (const [isTaken, headers] of cases) {
    const response = await world.send("/settings", {
      method: "POST",
      body: "a=b",
      headers: { cookie, ...headers },
    });
    assert.equal(response.status, isTaken ? 200 : 403, JSON.stringify(headers));
    const text = await response.text();
    if (!isTaken) assert.match(text, /^Cannot accept this form: /);
  }
});

Deno.test("the sign-in and sign-out forms are checked, too", async () => {
  await using world = await accessWorld({ env: WITH_PASSWORD });
  for (const path of ["/sign-in", "/sign-out"]) {
    const response = await world.send(path, { method: "POST", headers: { origin: "https://evil.example" } });
    assert.equal(response.status, 403, path);
    await response.body?.cancel();
  }
});

Deno.test("an untrusted header cannot inject text into the answer", () => {
  const origin = 'https://evil.example/\u00e9<script>"';
  const fault = crossSiteFault(new Headers([["origin", origin]]), "localhost") ?? "";
  assert.ok(!/[^\x20-\x7e]/.test(fault));
  assert.ok((crossSiteFault(new Headers([["origin", "x".repeat(9_000)]]), "localhost") ?? "").length < 200);
});

Deno.test("without a password, only host names of this machine are answered, which prevents DNS rebinding", async () => {
  await using world = await accessWorld();
  const cases: readonly (readonly [string, number])[] = [
    ["http://localhost:8080/", 200],
    ["http://127.0.0.1:8080/", 200],
    ["http://127.8.9.10/", 200],
    ["http://[::1]:8080/", 200],
    ["http://LOCALHOST/", 200],
    ["http://evil.example/", 403],
    ["http://localhost.evil.example/", 403],
    ["http://127.0.0.1.evil.example/", 403],
    ["http://evil.localhost:8080/", 403],
    ["http://localhost./", 403],
    ["http://192.0.2.1:8080/", 403],
    ["http://0.0.0.0:8080/", 403],
    ["http://[::]/", 403],
    ["http://[::ffff:192.0.2.1]/", 403],
  ];
  for (const [address, status] of cases) {
    const response = await world.send(address);
    assert.equal(response.status, status, address);
    await response.body?.cancel();
  }
  await using guarded = await accessWorld({ env: WITH_PASSWORD });
  assert.equal((await guarded.send("http://models.example/sign-in")).status, 200);
});

Deno.test("a request whose Host differs from its address is rejected", async () => {
  await using world = await accessWorld();
  for (
    const host of ["evil.example", "localhost:8081", "localhost:8080@evil.example", "a b", "evil/../x", ""]
  ) {
    const response = await world.send("/", { headers: { host } });
    assert.equal(response.status, 400, host);
    await response.body?.cancel();
  }
  assert.equal((await world.send("/", { headers: { host: "LOCALHOST:8080" } })).status, 200);
});

Deno.test("without a password, forwarded requests are rejected", async () => {
  await using world = await accessWorld();
  for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "via", "cf-connecting-ip"]) {
    const response = await world.send("/", { headers: { [name]: "192.0.2.1" } });
    assert.equal(response.status, 403, name);
    assert.match(await response.text(), /no password/);
  }
});

Deno.test("forwarded addresses and schemes count only if the operator declares a proxy", async () => {
  const headers = { "x-forwarded-for": "203.0.113.9, 198.51.100.4", "x-forwarded-proto": "https" };
  const visitWith = async (env: Record<string, string>) => {
    await using world = await accessWorld({ env: { ...WITH_PASSWORD, ...env } });
    const response = await world.send("/sign-in", { headers });
    const { visit } = await response.json();
    return [visit.address, visit.isHttps, response.headers.has("strict-transport-security")];
  };
  assert.deepEqual(await visitWith({}), ["192.0.2.7", false, false]);
  assert.deepEqual(await visitWith({ MODEL_SYNC_DASHBOARD_BEHIND_PROXY: "true" }), [
    "198.51.100.4",
    true,
    true,
  ]);
});
