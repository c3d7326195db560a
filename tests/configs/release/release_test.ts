import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { release, type ReleaseWorld } from "../../../configs/release.ts";
import { billOfMaterials } from "../../../configs/release/bill_of_materials.ts";
import { packRelease } from "../../../configs/release/pack_release.ts";
import { releaseNotes } from "../../../configs/release/release_notes.ts";
import { changelogSection, versionProblems } from "../../../configs/release/version_problems.ts";
import { readExample } from "../../helpers/actions_runner.ts";
import { readArchiveFile } from "../../helpers/read_archive.ts";
import { PROJECT } from "../../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";
import { git, GIT_ENV } from "../../helpers/test_git.ts";

const { version: VERSION } = z.object({ version: z.string() }).parse(
  JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))),
);
const LOCK = Deno.readTextFileSync(join(PROJECT, "deno.lock"));

Deno.test("a release needs one semantic version in tag, deno.json and changelog, as this repository has", () => {
  const facts = {
    tag: "v1.2.0",
    version: "1.2.0",
    changelog: "# Changes\n\n## 1.2.0\n\n- x\n",
  };
  assert.deepEqual(versionProblems(facts), []);
  assert.deepEqual(versionProblems({ ...facts, tag: undefined }), []);
  const wrong: readonly [Partial<typeof facts>, RegExp][] = [
    [{ tag: "1.2.0" }, /The tag is 1\.2\.0, .* has to be v1\.2\.0/],
    [{ tag: "v1.2.1" }, /The tag is v1\.2\.1/],
    [{ changelog: "## 1.2\n\n- x\n" }, /CHANGELOG\.md has no heading "## 1\.2\.0"/],
    [{ changelog: "## 1.2.0\n\n## 1.1.0\n\n- x\n" }, /CHANGELOG\.md has nothing below the heading/],
  ];
  for (const [change, problem] of wrong) {
    const problems = versionProblems({ ...facts, ...change });
    assert.equal(problems.length, 1);
    assert.match(problems.join(), problem);
  }
  for (const version of ["1.2", "v1.2.0", "01.2.0", "1.2.0-", "1.2.0-01", "1.2.0\n", "latest"]) {
    const changelog = `## ${version}\n\n- x\n`;
    const problems = versionProblems({ tag: `v${version}`, version, changelog });
    assert.match(problems.join(), /is not a semantic version/, version);
  }
  const rc = "1.0.0-rc.1";
  assert.deepEqual(
    versionProblems({
      tag: `v${rc}`,
      version: rc,
      changelog: `## [${rc}] - 2026-11-30\n\n- x`,
    }),
    [],
  );
  assert.equal(
    changelogSection("## 2.0.0 (2026)\r\n\r\n- a\r\n- b\r\n\r\n## 1.0.0\r\n", "2.0.0"),
    "- a\n- b",
  );
});

/** A world whose project is a folder, with what the commands print. */
function worldIn(project: string, env: Readonly<Record<string, string>> = {}) {
  const printed: string[] = [];
  const world: ReleaseWorld = {
    project,
    env: { get: (name) => env[name] },
    run: async (program, args) => {
      const { success, stdout, stderr } = await new Deno.Command(program, {
        args: [...args],
        cwd: project,
        env: GIT_ENV,
        stdin: "null",
      }).output();
      const decoder = new TextDecoder();
      assert.ok(success, decoder.decode(stderr));
      return decoder.decode(stdout);
    },
    print: (text) => void printed.push(text),
    complain: (text) => void printed.push(text),
  };
  return { world, printed };
}

Deno.test("release notes have the changelog, and the commits since the last release by area", async () => {
  using dir = tempDir();
  git(dir.path, "init", "--quiet", "--initial-branch=main");
  const commit = (subject: string, ...tags: readonly string[]) => {
    git(dir.path, "commit", "--quiet", "--allow-empty", "--message", subject);
    for (const tag of tags) git(dir.path, "tag", tag);
  };
  writeFiles(dir.path, {
    "deno.json": JSON.stringify({ version: "1.1.0" }),
    "CHANGELOG.md": "## 1.1.0\n\n- Withdraws bad releases.\n\n## 1.0.0\n\n- First.\n",
  });
  commit("first", "v1.0.0", "v0.9.0", "vienna");
  git(dir.path, "tag", "v1.1.0-rc.1");
  commit("pull: waits for the lock");
  commit("cli, status: shows @operator <b>bold</b> and `x_y`");
  commit("a subject without an area");
  git(dir.path, "checkout", "--quiet", "-b", "other", "v1.0.0");
  commit("pull: of a branch that is not released", "v1.0.1");
  git(dir.path, "checkout", "--quiet", "main");
  git(dir.path, "merge", "--quiet", "--no-ff", "--strategy=ours", "--message", "a merge", "v1.0.0");
  commit("pull: says why", "v1.1.0");
  const { world, printed } = worldIn(dir.path, {
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_REPOSITORY: "you/model-sync",
  });
  assert.equal(await release(world, ["notes", "v1.1.0"]), 0);
  assert.deepEqual(printed.join("").replace(/\([0-9a-f]{12}\)/g, "(ID)").split("\n"), [
    "- Withdraws bad releases.",
    "",
    "### 4 commits since v1.0.0",
    "",
    "- **cli**: shows @\u200boperator \\<b\\>bold\\</b\\> and \\`x\\_y\\` (ID)",
    "- **other**: a subject without an area (ID)",
    "- **pull**: says why (ID)",
    "- **pull**: waits for the lock (ID)",
    "",
    "All changes: https://github.com/you/model-sync/compare/v1.0.0...v1.1.0",
    "",
    "Check an archive against the workflow that built it: `gh attestation verify FILE --repo you/model-sync`",
  ]);
  const first = worldIn(dir.path);
  assert.equal(await release(first.world, ["notes", "v0.9.0"]), 0);
  assert.match(first.printed.join(), /This is the first release; its history has 1 commit\./);
});

Deno.test("release notes of many commits stay below GitHub's limit", () => {
  const commits = Array.from(
    { length: 5_000 },
    (_, index) => ({ id: "0".repeat(40), subject: `area: ${index} ${"x".repeat(90)}` }),
  );
  const notes = releaseNotes({
    version: "1.0.0",
    changelog: "c".repeat(99_000),
    previous: "v0.1.0",
    commits,
    repository: undefined,
  });
  assert.ok(notes.length < 125_000, String(notes.length));
  assert.match(notes, /… and 4\d{3} more commits\n$/);
});

const Licences = z.array(z.union([
  z.strictObject({ license: z.strictObject({ id: z.literal("MIT") }) }),
  z.strictObject({ expression: z.string().min(1) }),
]));

/** The parts of CycloneDX 1.6 that we use, with their rules: https://cyclonedx.org/docs/1.6/json/ */
const Bill = z.strictObject({
  $schema: z.literal("http://cyclonedx.org/schema/bom-1.6.schema.json"),
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.literal("1.6"),
  serialNumber: z.string().regex(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  ),
  version: z.literal(1),
  metadata: z.strictObject({
    timestamp: z.iso.datetime(),
    component: z.strictObject({
      "type": z.literal("application"),
      "bom-ref": z.string(),
      "name": z.literal("model-sync"),
      "version": z.string(),
      "purl": z.string(),
      "licenses": Licences,
    }),
  }),
  components: z.array(z.strictObject({
    "type": z.enum(["library", "platform"]),
    "bom-ref": z.string(),
    "group": z.string().regex(/^@/).optional(),
    "name": z.string(),
    "version": z.string().regex(/^\d+\.\d+\.\d+/),
    "scope": z.enum(["required", "excluded"]),
    "hashes": z.array(
      z.strictObject({ alg: z.literal("SHA-512"), content: z.string().regex(/^[0-9a-f]{128}$/) }),
    )
      .optional(),
    "licenses": Licences.optional(),
    "purl": z.string().regex(
      /^pkg:(?:npm\/(?:%40[\w.-]+\/)?[\w.-]+@[\w.-]+|github\/denoland\/deno@v[\d.]+)$/,
    ),
  })),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

Deno.test("the bill of materials is CycloneDX, lists the whole lock file, and is the same for the same input", () => {
  const options = {
    version: "1.0.0",
    denoVersion: "2.9.6",
    lock: LOCK,
    used: new Set(["zod@4.6.7", "preact-render-to-string@6.8.2", "preact@11.2.0"]),
    licences: new Map([["zod@4.6.7", "MIT"]]),
    createdAt: new Date("2026-11-30T00:00:00Z"),
  };
  const bill = Bill.parse(billOfMaterials(options));
  assert.deepEqual(billOfMaterials(options), bill);
  const { npm } = z.object({ npm: z.record(z.string(), z.unknown()) }).parse(JSON.parse(LOCK));
  assert.equal(bill.components.length, Object.keys(npm).length + 1);
  const refs = bill.dependencies.map(({ ref }) => ref);
  assert.equal(new Set(refs).size, refs.length);
  assert.deepEqual(
    [...refs].sort(),
    [bill.metadata.component["bom-ref"], ...bill.components.map((one) => one["bom-ref"])].sort(),
  );
  for (const { dependsOn } of bill.dependencies) {
    for (const ref of dependsOn) assert.ok(refs.includes(ref), ref);
  }
  assert.deepEqual(bill.dependencies[0]?.dependsOn, [
    "pkg:github/denoland/deno@v2.9.6",
    "pkg:npm/preact-render-to-string@6.8.2",
    "pkg:npm/preact@11.2.0",
    "pkg:npm/zod@4.6.7",
  ]);
  assert.throws(() =>
    billOfMaterials({ ...options, lock: LOCK.replace('"version": "5"', '"version": "6"') })
  );
});

const HAS_TAR = Deno.build.os === "linux";

Deno.test({
  name: `the files of a release have correct checksums, the repository's address and the program's packages${
    HAS_TAR ? "" : " (needs GNU tar)"
  }`,
  ignore: !HAS_TAR,
  async fn() {
    using dir = tempDir();
    const dist = join(dir.path, "dist");
    writeFiles(dist, {
      "model-sync-linux-x64": "program",
      "model-sync-windows-x64.exe": "program",
      "commit.txt": "x",
    });
    const env = { GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "you/model-sync" };
    const { world, printed } = worldIn(PROJECT, env);
    const out = join(dir.path, "out");
    assert.equal(await release(world, ["pack", dist, out]), 0, printed.join("\n"));
    const names = printed.map((path) => path.slice(out.length + 1));
    assert.deepEqual(names, [
      "install.ps1",
      "install.sh",
      `model-sync-${VERSION}-linux-x64.tar.gz`,
      `model-sync-${VERSION}-windows-x64.zip`,
      `model-sync-${VERSION}-workflows.zip`,
      `model-sync-${VERSION}.cdx.json`,
      "SHA256SUMS",
    ]);
    const sums = new Deno.Command("sha256sum", { args: ["--check", "--strict", "SHA256SUMS"], cwd: out })
      .outputSync();
    assert.ok(sums.success, new TextDecoder().decode(sums.stdout));
    const read = (name: string) => Deno.readTextFileSync(join(out, name));
    assert.match(
      read("install.sh"),
      /^DEFAULT_RELEASES='https:\/\/github\.com\/you\/model-sync\/releases'$/m,
    );
    assert.match(
      read("install.ps1"),
      /^\$DefaultReleases = 'https:\/\/github\.com\/you\/model-sync\/releases'$/m,
    );
    const listed = new Deno.Command("tar", {
      args: ["-tvzf", `model-sync-${VERSION}-linux-x64.tar.gz`],
      cwd: out,
    });
    assert.match(
      new TextDecoder().decode(listed.outputSync().stdout),
      /^-rw-r--r-- 0\/0 .* LICENSE\n-rw-r--r-- 0\/0 .* THIRD_PARTY_LICENCES\.txt\n-rwxr-xr-x 0\/0 .* model-sync\n$/,
    );

    const bill = Bill.parse(JSON.parse(read(`model-sync-${VERSION}.cdx.json`)));
    const scopes = new Map(
      bill.components.map(({ group, name, scope }) => [`${group ?? ""}/${name}`, scope]),
    );
    for (const name of ["/zod", "/hono", "@octokit/rest", "/onnxruntime-web"]) {
      assert.equal(scopes.get(name), "required", name);
    }
    for (const name of ["/playwright-core", "/axe-core", "/fast-check", "@actions/workflow-parser"]) {
      assert.equal(scopes.get(name), "excluded", name);
    }
    if (Deno.version.deno >= "2.9") {
      const unlicensed = bill.components.filter((one) =>
        one.scope === "required" && one.licenses === undefined
      );
      assert.deepEqual(unlicensed, []);
    }
    const commit = git(PROJECT, "rev-parse", "HEAD");
    const workflows = await readArchiveFile(join(out, `model-sync-${VERSION}-workflows.zip`));
    assert.deepEqual([...workflows.keys()].sort(), [
      ".github/workflows/model_pipeline.yml",
      ".github/workflows/references_check.yml",
      ".github/workflows/references_sync.yml",
      ".github/workflows/scheduled_publish.yml",
    ]);
    for (const [path, bytes] of workflows) {
      const text = new TextDecoder().decode(bytes);
      assert.doesNotMatch(text, /OWNER|COMMIT/, path);
      assert.ok(
        text.includes(`uses: you/model-sync/.github/actions/model-sync@${commit} # v${VERSION}\n`),
        path,
      );
      assert.ok(readExample(path.split("/").at(-1) ?? "").includes("# Replace OWNER and COMMIT by "), path);
    }
    printed.length = 0;
    assert.equal(await release(world, ["pack", dist, out]), 2);
    assert.match(printed.join(), /is not empty/);
    await packRelease({
      version: VERSION,
      project: PROJECT,
      executables: dist,
      output: join(dir.path, "again"),
      releases: "https://github.com/you/model-sync/releases",
      action: `you/model-sync/.github/actions/model-sync@${commit} # v${VERSION}`,
      bill: JSON.parse(read(`model-sync-${VERSION}.cdx.json`)),
      createdAt: new Date(bill.metadata.timestamp),
    });
    assert.equal(Deno.readTextFileSync(join(dir.path, "again/SHA256SUMS")), read("SHA256SUMS"));
  },
});

Deno.test("deno task release answers wrong command lines with one line and the next step", async () => {
  const { world, printed } = worldIn(PROJECT);
  for (
    const args of [["publish"], ["check", "a", "b"], ["pack", "dist"], ["--force"], ["pack", "dist", "out"]]
  ) {
    printed.length = 0;
    assert.equal(await release(world, args), 2, args.join(" "));
    assert.match(printed[0] ?? "", /^error: \S.*/);
    assert.match(printed[1] ?? "", /^next: {2}\S.*/);
  }
  using dir = tempDir();
  for (
    const [args, code, says] of [
      [["check", "v0.0.0-other"], 5, /^error: The tag is v0\.0\.0-other/],
      [["notes", "a", "b"], 2, /^error: notes takes one tag/],
    ] as const
  ) {
    printed.length = 0;
    assert.equal(await release(world, args), code, printed.join("\n"));
    assert.match(printed[0] ?? "", says);
  }
  const named = worldIn(PROJECT, {
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_REPOSITORY: "you/model-sync",
  });
  assert.equal(await release(named.world, ["pack", dir.path, join(dir.path, "out")]), 2);
  assert.match(
    named.printed.join("\n"),
    /there is no executable in .*\nnext: {2}run deno task compile --all first/,
  );
  printed.length = 0;
  assert.equal(await release(world, ["--help"]), 0);
  assert.match(printed.join(), /^Prepares a release/);
});
