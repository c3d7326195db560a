import assert from "node:assert/strict";
import { signInRoutes } from "../../../web/routes/sign_in.tsx";
import {
  type AccessChoice,
  accessWorld,
  cookieOf,
  PASSWORD,
  WITH_PASSWORD,
} from "../../helpers/access_world.ts";

const CHOICE: AccessChoice = {
  env: WITH_PASSWORD,
  routes: (app, access, web) => {
    app.route("/", signInRoutes({ ...web, access }));
  },
};

Deno.test("the right password opens the requested page", async () => {
  await using world = await accessWorld(CHOICE);
  const asked = await world.send("/nodes/bot-1?tab=runs");
  const form = await (await world.send(asked.headers.get("location") ?? "")).text();
  assert.match(form, /<form[^>]* method="post" action="\/sign-in">/);
  assert.match(form, /name="next" value="\/nodes\/bot-1\?tab=runs"/);
  assert.match(form, /type="password"[^>]*autocomplete="current-password"/i);

  const answer = await world.post("/sign-in", { next: "/nodes/bot-1?tab=runs", password: PASSWORD });
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/nodes/bot-1?tab=runs");
  const headers = { cookie: cookieOf(answer) };
  assert.equal((await (await world.send("/nodes/bot-1", { headers })).json()).viewer, "operator");
  const again = await world.send("/sign-in?next=/releases", { headers });
  assert.deepEqual([again.status, again.headers.get("location")], [303, "/releases"]);
});

Deno.test("a wrong password is rejected, and logged with the address but without the password", async () => {
  await using world = await accessWorld(CHOICE);
  for (const password of ["", "wrong password", PASSWORD.slice(0, -1), `${PASSWORD} `]) {
    const answer = await world.post("/sign-in", { next: "/releases", password });
    assert.equal(answer.status, 403);
    assert.deepEqual(answer.headers.getSetCookie(), []);
    const text = await answer.text();
    assert.match(text, /role="alert"/);
    assert.match(text, /name="next" value="\/releases"/);
    assert.ok(password === "" || !text.includes(password));
  }
  assert.deepEqual(world.logged[0], "warn refused a sign-in from 192.0.2.7: wrong password");
  assert.ok(!world.logged.join().includes("horse"));
});

Deno.test("after ten wrong passwords an address must wait, even with the right one", async () => {
  await using world = await accessWorld(CHOICE);
  const answerTo = (password: string) => world.post("/sign-in", { next: "/", password });
  for (let index = 0; index < 10; index++) assert.equal((await answerTo("wrong")).status, 403);
  const refused = await answerTo(PASSWORD);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "900");
  assert.deepEqual(refused.headers.getSetCookie(), []);
  assert.match(await refused.text(), /Try again in 15 min/);
  world.clock.advance(900_000);
  assert.equal((await answerTo(PASSWORD)).status, 303);
});

Deno.test("signing in never redirects to another site", async () => {
  await using world = await accessWorld(CHOICE);
  for (
    const next of [
      "https://evil.example",
      "//evil.example",
      "/.//evil.example",
      "/\\evil.example",
      "/sign-out",
    ]
  ) {
    const answer = await world.post("/sign-in", { next, password: PASSWORD });
    assert.equal(answer.headers.get("location"), "/", next);
    const page = await (await world.send(`/sign-in?next=${encodeURIComponent(next)}`)).text();
    assert.match(page, /name="next" value="\/"/, next);
  }
});

Deno.test("text from the address cannot break out of its attribute", async () => {
  await using world = await accessWorld(CHOICE);
  const next = '/nodes/"><script>alert(1)</script>';
  const page = await (await world.send(`/sign-in?next=${encodeURIComponent(next)}`)).text();
  assert.ok(!page.includes("<script>alert"), page);
});

Deno.test("signing out clears the cookie, and only a form of the dashboard signs out", async () => {
  await using world = await accessWorld(CHOICE);
  const cookie = cookieOf(await world.post("/sign-in", { password: PASSWORD }));
  const answer = await world.post("/sign-out", {}, { cookie });
  assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/sign-in"]);
  assert.match(answer.headers.getSetCookie().join(), /^model_sync_session=; Path=\/; Max-Age=0;/);
  assert.equal((await world.post("/sign-out", {}, { cookie, origin: "https://evil.example" })).status, 403);
});

Deno.test("a form with another content type is rejected, and an empty one counts as a wrong password", async () => {
  await using world = await accessWorld(CHOICE);
  const headers = { origin: "http://localhost:8080" };
  const multipart = new FormData();
  multipart.set("password", PASSWORD);
  for (const body of [multipart, JSON.stringify({ password: PASSWORD })]) {
    assert.equal((await world.send("/sign-in", { method: "POST", body, headers })).status, 415);
  }
  assert.equal((await world.post("/sign-in", {})).status, 403);
  assert.equal((await world.post("/sign-in", { password: "x".repeat(10_000) })).status, 403);
});

Deno.test("without a password there is no sign-in", async () => {
  await using world = await accessWorld({ ...CHOICE, env: {} });
  const page = await world.send("/sign-in?next=/releases");
  assert.deepEqual([page.status, page.headers.get("location")], [303, "/releases"]);
  const answer = await world.post("/sign-in", { password: "anything", next: "/releases" });
  assert.deepEqual([answer.status, answer.headers.getSetCookie()], [303, []]);
});
