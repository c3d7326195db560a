import assert from "node:assert/strict";
import { join } from "node:path";
import { z } from "zod";
import { LICENCES_FILE, packageLicences, renderLicences } from "../configs/licences.ts";
import { PROJECT } from "./helpers/run_cli.ts";
import { KNOWS_FOLDERS, MODULE_INFO } from "./helpers/module_info.ts";
import { PAGES } from "./helpers/pages.ts";

const { imports } = z.object({ imports: z.record(z.string(), z.string()) }).parse(
  JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))),
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
    const licences = packageLicences(MODULE_INFO);
    assert.equal(Deno.readTextFileSync(join(PROJECT, LICENCES_FILE)), renderLicences(licences));
    const allowed = ["MIT", "MIT-0", "ISC", "BSD-3-Clause", "Apache-2.0", "PSF-2.0"];
    for (const { title, licence } of licences) assert.ok(allowed.includes(licence), `${title}: ${licence}`);
  },
});

Deno.test("users get no package that only tests use", () => {
  const names = new Set(packageNames(MODULE_INFO));
  for (
    const name of ["fast-check", "playwright-core", "axe-core", "ajv", "smtp-server"]
  ) {
    assert.ok(!names.has(name), name);
  }
  assert.ok(names.has("zod"));
});

function packageNames(json: string): string[] {
  const { modules } = z.object({ modules: z.array(z.object({ npmPackage: z.string().optional() })) }).parse(
    JSON.parse(json),
  );
  return modules.flatMap(({ npmPackage = "" }) => /^(@?[^@]+)@/.exec(npmPackage)?.[1] ?? []);
}
