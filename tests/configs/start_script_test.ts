import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { REFUSED_CODE, writeLoader, writeStartScript } from "../../configs/compile/start_script.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** A bundle as Deno's bundler writes it: `now` is loaded by the entry, `later` by import(), and `shared` by both. */
const BUNDLE = {
  "entry.js": `import {
  count as count2
} from "./shared.js";
import "./silent.js";
import { join, sep as separator } from "node:path";
import path from "node:path";

// entry.ts
async function start() {
  const { seen } = await import("./later.js");
  const { command } = await import("./status-X.js");
  return [count2(), seen(), command(), join("a", "b").split(separator), path.posix.sep, globalThis.silent];
}
if (false) await start();
if (false) {
  await start();
  Deno.exit(0);
}
export {
  start
};
/*! a licence */
`,
  "silent.js": '// “silent.ts”\nglobalThis.silent = /[…é]/u.test("\\u2026");\n',
  "status-X.js": `import {
  count
} from "./shared.js";
function command() {
  return \`status \${count()}\`;
}
export {
  command,
  command as default
};
`,
  "later.js": `import {
  count
} from "./shared.js";
import command from "./status-X.js";
function seen() {
  return \`later \${count()} \${command()}\`;
}
export {
  seen
};
`,
  "shared.js": `var counted = 0;
function count() {
  return ++counted;
}
export {
  count
};
`,
  "run.js": `import { start } from "./entry.js";\nconsole.log(JSON.stringify(await start()));\n`,
} as const;

const PRINTED = `[1,"later 2 status 3","status 4",["a","b"],"/",true]\n`;

/** Starts a module in a Deno of its own, as the warning goes to the process's standard error. */
async function runModule(path: string, ...flags: readonly string[]) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", ...flags, path],
    env: { NO_COLOR: "1" },
  });
  const { stdout, stderr } = await command.output();
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("the start script does what the bundle did, loads each file once, and uses the code that was compiled ahead", async () => {
  using dir = tempDir();
  writeFiles(dir.path, BUNDLE);
  const run = join(dir.path, "run.js");
  assert.deepEqual(await runModule(run), { stdout: PRINTED, stderr: "" });
  writeStartScript(dir.path, ["entry.", "status-"]);
  assert.deepEqual(
    Object.keys(readFiles(dir.path)).sort(),
    ["later.js", "load.js", "run.js", "start.txt"],
    "what the entry and frequent commands load is in the script",
  );
  assert.match(readFiles(dir.path)["start.txt"] ?? "", /^[\0-\x7f]*$/);
  assert.deepEqual(await runModule(run), { stdout: PRINTED, stderr: "" });

  writeFiles(dir.path, {
    "write.js": `import { script, __load } from ${
      JSON.stringify(pathToFileURL(join(dir.path, "load.js")).href)
    };
await __load("./entry.js").start();
Deno.writeFileSync(${JSON.stringify(join(dir.path, "start.bin"))}, script.createCachedData());
`,
  });
  assert.equal((await runModule(join(dir.path, "write.js"))).stderr, "");
  writeLoader(dir.path, { isCompiled: true });
  assert.deepEqual(await runModule(run), { stdout: PRINTED, stderr: "" });
  const other = await runModule(run, "--v8-flags=--no-opt");
  assert.deepEqual([other.stdout, other.stderr.includes(REFUSED_CODE)], [PRINTED, true]);
});

Deno.test("code that is damaged, or that of another program, is compiled again with a warning", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { ...BUNDLE, "start.bin": "not code".repeat(20) });
  writeStartScript(dir.path, ["entry."]);
  writeLoader(dir.path, { isCompiled: true });
  const { stdout, stderr } = await runModule(join(dir.path, "run.js"));
  assert.equal(stdout, PRINTED);
  assert.equal(stderr, `model-sync: ${REFUSED_CODE}; starts take longer\n`);
});

Deno.test("a start script is refused if a file waits while it is loaded, asks for its address, imports a package or changes an export", () => {
  for (
    const [line, reason] of [
      ["await 1;", /statement that the script cannot have: await 1;/],
      ["var here = import.meta.url;", /statement that the script cannot have: var here/],
      [`import x from "npm:x";`, /the script cannot import npm:x/],
      ["var __load = 1;", /uses the name __load/],
      [
        "var mode = 1;\nfunction set() {\n  if (mode === 1) mode = 2;\n}\nexport {\n  mode,\n  set\n};",
        /changes what it exported: if \(mode === 1\) mode = 2;/,
      ],
      [`import "./missing.js";`, /the bundler did not write \.\/missing\.js/],
    ] as const
  ) {
    using dir = tempDir();
    writeFiles(dir.path, { "entry.js": `${line}\n` });
    assert.throws(() => writeStartScript(dir.path, ["entry."]), reason);
  }
});
