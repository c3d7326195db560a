import assert from "node:assert/strict";
import { releaseDigest } from "../../../lib/release/manifest.ts";
import { openPages } from "../../helpers/pages_world.ts";
import * as events from "../../helpers/web_events.ts";

const { digestOfRelease } = events;

type File = ReturnType<typeof events.filesOfRelease>[number];

function file(path: string, content: string, size = 100): File {
  return { path, size, sha256: content.repeat(64).slice(0, 64) };
}

/** Returns two publications of files: release 1, then release 2. */
function twoReleases(before: readonly File[], after: readonly File[], leftOut = 0) {
  return [before, after].map((files, index) =>
    events.published("train-1", index + 1, {
      time: `2026-11-28T0${index}:00:00.000Z`,
      files,
      filesTotal: files.length + leftOut,
      filesLeftOut: leftOut,
    })
  );
}

const page = (number: number) => `/releases/${digestOfRelease(number)}`;

Deno.test("a release is compared with the previous one, and with any other in both directions", async () => {
  using pages = await openPages(twoReleases(
    [file("kept", "a"), file("changed", "b", 2048), file("old", "c", 1024), file("here", "d")],
    [file("kept", "a"), file("changed", "e", 4096), file("new", "f", 3072), file("there", "d")],
  ));
  const forwards = await pages.see(page(2));
  assert.match(forwards.text, /From 1 [0-9a-f]{12} to 2 [0-9a-f]{12}\./);
  assert.match(
    forwards.text,
    /1 file changed, 4\.0 KiB now 1 file added, 3\.0 KiB 1 file removed, 1\.0 KiB 1 file renamed/,
  );
  assert.match(forwards.text, /changed changed 2\.0 KiB 4\.0 KiB \+2\.0 KiB/);
  assert.match(forwards.text, /there was here renamed/);
  const backwards = await pages.see(`${page(1)}?against=${digestOfRelease(2)}`);
  assert.match(backwards.text, /From 2 [0-9a-f]{12} to 1 [0-9a-f]{12}\./);
  assert.match(
    backwards.text,
    /1 file changed, 2\.0 KiB now 1 file added, 1\.0 KiB 1 file removed, 3\.0 KiB/,
  );
  assert.match((await pages.see(page(1))).text, /No earlier release is known/);
});

Deno.test("the other release is chosen in a form without scripts: from a list, or by typing", async () => {
  using pages = await openPages(
    Array.from(
      { length: 5 },
      (_, index) => events.published("train-1", index + 1, { time: `2026-11-28T0${index}:00:00.000Z` }),
    ),
  );
  const { html } = await pages.see(page(5));
  const form = /<form class="form-line against".*?<\/form>/s.exec(html)?.[0] ?? "";
  assert.match(form, /method="get" action="\/releases\/sha256:[0-9a-f]{64}#changes"/);
  assert.equal([...form.matchAll(/<option/g)].length, 4);
  assert.match(
    form,
    new RegExp(
      `<option[^>]*selected[^>]*value="${digestOfRelease(4)}"|value="${digestOfRelease(4)}"[^>]*selected`,
    ),
  );
  const digits = digestOfRelease(2).slice("sha256:".length);
  for (const typed of ["2", digits.slice(0, 8), digits, digestOfRelease(2)]) {
    // The list always has a selection, so the typed text takes precedence.
    const query = new URLSearchParams({ against: digestOfRelease(4), other: typed });
    const { text } = await pages.see(`${page(5)}?${query}`);
    assert.match(text, /From 2 [0-9a-f]{12} to 5 /, typed);
  }
  const unknown = await pages.see(`${page(5)}?other=nothing`);
  assert.equal(unknown.status, 200);
  assert.match(unknown.text, /No release matches nothing/);
  const several = await pages.see(`${page(5)}?other=0000`);
  assert.match(several.text, /Several releases match 0000/);
  assert.ok(several.html.includes(`/releases/${digestOfRelease(5)}?against=${digestOfRelease(3)}`));
});

Deno.test("a release of 2,000 files shows 500 of them and of their changes, and says so", async () => {
  const many = (content: string) =>
    Array.from({ length: 2_000 }, (_, index) => file(`f${String(index).padStart(4, "0")}`, content));
  using pages = await openPages(twoReleases(many("a"), many("b")));
  const { text, html } = await pages.see(page(2));
  assert.match(text, /2000 files changed/);
  assert.match(text, /The first 500 of 2000 changed files are shown/);
  assert.match(text, /The list shows the first 500 of 2000 listed files/);
  assert.equal([...html.matchAll(/f0\d\d\d<\/bdi>/g)].length, 1_000);
  assert.ok(html.length < 1_000_000, `${html.length} characters`);
});

Deno.test("of cut lists, only the common beginning is compared: later files are not shown as removed", async () => {
  const before = [file("a", "a"), file("b", "b"), file("c", "c")];
  const after = [file("a", "a"), file("a1", "1"), file("b", "2")];
  using pages = await openPages(twoReleases(before, after, 5));
  const { text } = await pages.see(page(2));
  assert.match(text, /Only the first files were compared/);
  assert.match(text, /1 file changed, 100 bytes now 1 file added, 100 bytes/);
  assert.doesNotMatch(text, /file removed/);
});

Deno.test("a list of files is shown as verified only if it matches the digest; otherwise the reason is shown", async () => {
  const files = [file("a.onnx", "a"), file("b.onnx", "b")];
  const digest = await releaseDigest(files);
  const claim = events.published("train-1", 1, { digest, files, filesTotal: 2 });
  const cases = [
    [claim, /Verified: the digest of this list is the digest of the release/],
    [
      events.published("train-1", 1, { digest, files, filesTotal: 9, filesLeftOut: 7 }),
      /not verified The publisher listed 2 of 9 files/,
    ],
    [
      events.published("train-1", 1, { files, filesTotal: 2 }),
      /not verified The listed files do not match the digest/,
    ],
    [
      events.published("train-1", 1, { files: [], filesTotal: 2 }),
      /No node has reported the files of this release/,
    ],
  ] as const;
  for (const [event, wanted] of cases) {
    using pages = await openPages([event]);
    assert.match((await pages.see(`/releases/${event.data.digest}`)).text, wanted);
  }
});

Deno.test("a release lists its publications, and each links to its run", async () => {
  const time = "2026-11-28T01:00:00.000Z";
  using pages = await openPages([
    events.published("train 1/publisher", 2, {
      time,
      carrier: "git",
      revision: "abc123",
      signer: "f00d".repeat(16),
    }),
    events.published("train 1/publisher", 2, { time, carrier: "huggingface", revision: "def456" }),
  ]);
  const { text, html } = await pages.see(page(2));
  assert.match(text, /git abc123 Show the run/);
  assert.match(text, /huggingface def456 Show the run/);
  assert.ok(
    html.includes(`/runs/${encodeURIComponent(events.runIdOf(time, "publish"))}?node=train%201%2Fpublisher`),
  );
  assert.ok(
    html.includes(`>${digestOfRelease(2)}</code>`) && html.includes(`data-copy="${digestOfRelease(2)}"`),
  );
  assert.match(text, /Signed by f00df00df00df00d/);
});

Deno.test("a canary shows its verdict, the reason, and the samples of each metric", async () => {
  const [first, second] = ["2026-11-28T02:10:00.000Z", "2026-11-28T02:20:00.000Z"] as const;
  const metric = events.canary(2).metrics[0];
  assert.ok(metric);
  using pages = await openPages([events.published("train-1", 2)]);
  for (const [time, last, status] of [[first, 0.5, "watching"], [second, 0.4, "degraded"]] as const) {
    const canary = events.canary(2, {
      status,
      reason: "win_rate is 20 % worse than its baseline",
      metrics: [{ ...metric, last, lastAt: time }],
    });
    await pages.add(events.heartbeat("bot-1", { time, status: { canary } }));
  }
  const { text } = await pages.see(page(2));
  assert.match(text, /Canaries 1 node bot-1 degraded/);
  assert.match(text, /win_rate is 20 % worse than its baseline/);
  assert.match(text, /Samples of win_rate Time Value .* 0\.4 .* 0\.5/);
});

Deno.test("periods of a release are shown with how they ended, nodes that have it first", async () => {
  using pages = await openPages([
    ...[1, 2].map((number) =>
      events.published("train-1", number, { time: `2026-11-28T0${number}:00:00.000Z` })
    ),
    events.activated("bot-1", 1, { startedAt: "2026-11-28T03:00:00.000Z" }),
    events.activated("bot-2", 1, { startedAt: "2026-11-28T03:30:00.000Z" }),
    events.activated("bot-1", 2, { startedAt: "2026-11-28T05:00:00.000Z" }),
  ]);
  const { text, html } = await pages.see(page(1));
  assert.match(text, /Where it was active 2 nodes/);
  assert.match(
    text,
    /bot-2 active yesterday 03:30 for 32 h 29 min bot-1 replaced by 2 yesterday 03:00 to yesterday 05:00, 2 h/,
  );
  assert.match(html, /role="img" aria-label="yesterday 03:00 to yesterday 05:00, then 2"/);
});

Deno.test("an address with the beginning of a digest or a sequence redirects to the release", async () => {
  using pages = await openPages([3, 4].map((number) => events.published("train-1", number)));
  const digits = digestOfRelease(4).slice("sha256:".length);
  for (
    const typed of [digits, digits.slice(0, 8), `sha256:${digits.slice(0, 8)}`, digits.toUpperCase(), "4"]
  ) {
    const { status, location } = await pages.see(`/releases/${typed}`);
    assert.deepEqual([status, location], [303, page(4)], typed);
  }
  const several = await pages.see("/releases/0000");
  assert.equal(several.status, 300);
  assert.match(several.text, /Several releases match 0000/);
  assert.ok(several.html.includes(page(3)) && several.html.includes(page(4)));
});

Deno.test("the page of an unknown release says what to do", async () => {
  using pages = await openPages([events.published("train-1", 1)]);
  for (
    const typed of [digestOfRelease(9), "abc", "ffff", "999", "%3Cb%3E", "%00", "sha256:", "a".repeat(5_000)]
  ) {
    const { status, text } = await pages.see(`/releases/${typed}`);
    assert.equal(status, 404, typed);
    assert.match(text, /No node has reported a release that matches/);
    assert.match(text, /Show all releases.*model-sync status/);
  }
});
