import assert from "node:assert/strict";
import { NodeLink } from "../../../web/components/Links.tsx";
import { faviconState, faviconSvg } from "../../../web/components/favicon.ts";
import { renderPage } from "../../../web/routes/render_page.tsx";
import type { Viewer } from "../../../web/shared/web.ts";
import { staticFiles } from "../../../web/routes/static.ts";

const NOW = new Date("2026-11-29T08:31:08Z");

function pageFor(viewer: Viewer, path = "/", signedIn = false): string {
  const facts = { now: NOW, zone: "Europe/Paris", viewer, path, live: "0001", signedIn };
  return renderPage({
    title: "Fleet",
    facts,
    state: "warn",
    search: '"><script>',
    body: <p>All is well.</p>,
  });
}

Deno.test("a page has a language, a title, a stylesheet of its version and the favicon of the fleet's state", () => {
  const html = pageFor("operator");
  const version = staticFiles.get("style.css")?.version ?? "";
  assert.match(version, /^[0-9a-f]{12}$/);
  assert.ok(html.startsWith('<!doctype html><html lang="en">'));
  assert.ok(html.includes(`href="/static/style.css?v=${version}"`));
  assert.ok(html.includes("/favicon.svg?state=warn"));
  assert.match(html, /<title[^>]*>Fleet · model-sync<\/title>/);
  assert.ok(html.includes("Times in Europe/Paris"));
});

Deno.test("a page has no inline style or script, even if untrusted texts look like one", () => {
  const html = pageFor("operator");
  assert.doesNotMatch(html, /style=|<style|<script>|onclick/i);
  assert.ok(html.includes("&lt;script>") || html.includes("&lt;script&gt;"));
});

Deno.test("the navigation marks the current page, and the parent of the current page", () => {
  assert.match(pageFor("operator", "/releases"), /href="\/releases" aria-current="page"/);
  assert.match(pageFor("operator", "/nodes/bot-paris"), /href="\/" aria-current="true"/);
});

Deno.test("the public sees no links to settings and metrics, and can sign in", () => {
  const html = pageFor("public");
  assert.doesNotMatch(html, /href="\/(settings|metrics|pull-requests)"/);
  assert.match(html, /<a [^>]*href="\/sign-in"/);
  assert.match(pageFor("operator"), /href="\/settings"/);
});

Deno.test("only a reader with a session can sign out", () => {
  assert.doesNotMatch(pageFor("operator"), /sign-out/);
  assert.match(pageFor("operator", "/", true), /<form [^>]*method="post" action="\/sign-out"/);
});

Deno.test("a node's name spells out characters that would reverse or hide a part of it", () => {
  const facts = { now: NOW, zone: "UTC", viewer: "operator", path: "/", live: "" } as const;
  const node = "bot/\u202e<b>\u0007";
  const html = renderPage({ title: "x", facts, body: <NodeLink node={node} /> });
  assert.ok(html.includes("bot/\\u202e&lt;b>\\u0007") || html.includes("bot/\\u202e&lt;b&gt;\\u0007"));
  assert.ok(html.includes('href="/nodes/bot/%E2%80%AE%3Cb%3E%07"'));
});

Deno.test("each state has a favicon with its own shape and colour, and no inline style", () => {
  const icons = (["good", "warn", "bad"] as const).map(faviconSvg);
  const each = (pattern: RegExp) => new Set(icons.map((icon) => pattern.exec(icon)?.[1])).size;
  assert.equal(each(/ d="([^"]+)"/), 3);
  assert.equal(each(/ fill="(#[^"]+)"/), 3);
  for (const icon of icons) assert.doesNotMatch(icon, /style/);
  assert.deepEqual(["bad", "warn", "good", "<svg", undefined].map(faviconState), [
    "bad",
    "warn",
    "good",
    "good",
    "good",
  ]);
});

Deno.test("a page, even of an empty fleet, names the version that it follows, unless it does not change", () => {
  const page = (live: string | undefined) => {
    const facts = { now: NOW, zone: "UTC", viewer: "operator", path: "/", live } as const;
    return renderPage({ title: "Fleet", facts, nodes: ['"><script>'], body: <p>All is well.</p> });
  };
  assert.match(page("0001"), /<body data-since="0001" data-now="2026-11-29T08:31:08.000Z" data-nodes="\[/);
  assert.match(page(""), /<body data-since/);
  assert.doesNotMatch(page(undefined), /data-since/);
  assert.doesNotMatch(page("0001"), /<script>/);
});
