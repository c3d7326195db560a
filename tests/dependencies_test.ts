import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import { LICENCES_FILE, packageLicences, renderLicences } from "../configs/licences.ts";
import { findEntry } from "../lib/core/files.ts";
import { ORT_PACKAGE } from "../lib/validators/onnx/ort_package.ts";
import { bytesIn } from "./helpers/bytes_in.ts";
import { PROJECT } from "./helpers/run_cli.ts";
import { KNOWS_FOLDERS, USER_PACKAGES } from "./helpers/user_packages.ts";
import { PAGES } from "./helpers/pages.ts";

/** ONNX Runtime has a configuration and a lock file of its own. */
const ONNX = "lib/validators/onnx";

const importsIn = (path: string) =>
  z.object({ imports: z.record(z.string(), z.string()) }).parse(
    JSON.parse(Deno.readTextFileSync(join(PROJECT, path))),
  ).imports;
const imports = { ...importsIn("deno.json"), ...importsIn(`${ONNX}/deno.json`) };

const lockedIn = (path: string) =>
  Object.keys(
    z.object({ npm: z.record(z.string(), z.unknown()) }).parse(
      JSON.parse(Deno.readTextFileSync(join(PROJECT, path))),
    ).npm,
  );

Deno.test("CONTRIBUTING gives the reason for each npm package of deno.json", () => {
  const page = PAGES.find(({ path }) => path === ".github/CONTRIBUTING.md");
  const rows = page?.tableBelow("Dependencies") ?? [];
  assert.deepEqual(rows.map(([name = ""]) => name.replaceAll("`", "")).sort(), Object.keys(imports).sort());
  for (const [name, usedBy = "", reason = ""] of rows) {
    assert.ok(usedBy !== "" && reason.length > 20, name);
  }
});

Deno.test({
  name: "the file of licences is current, and each licence allows redistribution: deno task build-licences",
  ignore: !KNOWS_FOLDERS,
  fn() {
    const licences = packageLicences(USER_PACKAGES);
    assert.equal(Deno.readTextFileSync(join(PROJECT, LICENCES_FILE)), renderLicences(licences));
    const allowed = ["MIT", "MIT-0", "ISC", "BSD-3-Clause", "Apache-2.0", "PSF-2.0"];
    for (const { title, licence } of licences) assert.ok(allowed.includes(licence), `${title}: ${licence}`);
  },
});

Deno.test("users get no package that only tests use", () => {
  const names = new Set(USER_PACKAGES.map(({ name }) => name));
  for (
    const name of ["fast-check", "playwright-core", "axe-core", "ajv", "smtp-server"]
  ) {
    assert.ok(!names.has(name), name);
  }
  assert.ok(names.has("zod"));
});

Deno.test("ONNX Runtime is what its configuration names, and shares packages with the program in the same versions", () => {
  assert.equal(importsIn(`${ONNX}/deno.json`)["onnxruntime-web"], ORT_PACKAGE);
  const nameOf = (key: string) => key.slice(0, key.indexOf("@", 1));
  const program = lockedIn("deno.lock");
  const names = new Set(program.map(nameOf));
  const others = lockedIn(`${ONNX}/deno.lock`).filter((key) =>
    names.has(nameOf(key)) && !program.includes(key)
  );
  assert.deepEqual(others, []);
});

Deno.test({
  name: "a task of deno.json, before which Deno installs all of deno.lock, installs less than 100 MB",
  ignore: !KNOWS_FOLDERS,
  fn() {
    const zod = USER_PACKAGES.find(({ name }) => name === "zod")?.localPath ?? "";
    const registry = join(zod, "../..");
    // `name@version`, for some packages followed by `_` and the versions of their peers.
    const folders = lockedIn("deno.lock").map((key) => {
      const [, name = "", version = ""] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
      return join(registry, name, version);
    });
    const bytes = folders.map((path) => findEntry(Deno, path) === undefined ? 0 : bytesIn(path));
    assert.ok(bytes.filter((size) => size > 0).length > 20);
    const total = bytes.reduce((sum, size) => sum + size);
    assert.ok(total < 100_000_000, `${total} bytes`);
  },
});
