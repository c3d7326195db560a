import assert from "node:assert/strict";
import { References } from "../../lib/config/sections/references.ts";

/** The places of the complaints about settings. */
function complaintsAbout(settings: unknown): string[] {
  return References.safeParse(settings).error?.issues.map(({ path }) => path.join(".")) ?? [];
}

Deno.test("references.pr.branch accepts names that git accepts and that do not collide with another branch", () => {
  for (const branch of ["model-sync/references", "bot/sync", "syncs", "ü", "a.b", "sync-2"]) {
    assert.deepEqual(complaintsAbout({ pr: { branch } }), [], branch);
  }
  const wrong = [
    "",
    "-x",
    "a..b",
    "a b",
    "a\u0007",
    "/a",
    "a/",
    "a//b",
    ".a",
    "b/.a",
    "a.lock",
    "a.lock/b",
    "a.",
    "@",
  ];
  for (const branch of [...wrong, "a@{b", "a~1", "HEAD", "a\\b"]) {
    assert.deepEqual(complaintsAbout({ pr: { branch } }), ["pr.branch"], JSON.stringify(branch));
  }
  for (const branch of ["sync", "sync/image_generation", "main", "main/references"]) {
    assert.deepEqual(complaintsAbout({ pr: { branch } }), ["pr.branch"], branch);
  }
  assert.deepEqual(
    complaintsAbout({ pr: { branch: "bot" }, text_repository: { branch: "bot/base" } }),
    ["pr.branch"],
  );
  assert.deepEqual(
    complaintsAbout({ pr: { branch: "main", style: "timestamped" } }),
    [],
    "the style timestamped does not use it",
  );
});

Deno.test("references.pr.branch accepts the same names as git check-ref-format", async () => {
  const names = ["model-sync/references", "ü", "a.b", "-x", "a..b", "a b", "a/", "a//b", ".a", "a.lock/b"];
  for (const branch of [...names, "a.", "a@{b", "@a", "HEAD", "a\\b", "a[b", "x/@/y", "a\u007f"]) {
    const { success } = await new Deno.Command("git", {
      args: ["check-ref-format", "--branch", branch],
      stdout: "null",
      stderr: "null",
    }).output();
    assert.equal(complaintsAbout({ pr: { branch } }).length === 0, success, JSON.stringify(branch));
  }
});

Deno.test("references.primary_url accepts credentials, and refuses a query or fragment", () => {
  for (const url of ["http://localhost:19800", "https://u:p@models.example.org/api/", " http://a/ "]) {
    assert.deepEqual(complaintsAbout({ primary_url: url }), [], url);
  }
  for (const url of ["localhost:19800", "ftp://a", "http://", "https://a/?b=c", "https://a/#b", ""]) {
    assert.deepEqual(complaintsAbout({ primary_url: url }), ["primary_url"], url);
  }
});

Deno.test("references.categories are trimmed", () => {
  assert.deepEqual(References.parse({ categories: [" clip", "lora "] }).categories, ["clip", "lora"]);
});
