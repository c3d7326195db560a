import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { REFUSED_CODE, writeScripts } from "../../configs/compile/bundle_scripts.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";

/**
 * A bundle as Deno's bundler writes it: the entry loads `shared` and `silent`, and by import() `status`, which needs
 * nothing else, `pull`, which needs `more`, and `later`, which is large and waits while it is loaded.
 */
const BUNDLE = {
  "executable.js": `import {
  count as count2
} from "./shared.js";
import "./silent.js";
import { join, sep as separator } from "node:path";
import path from "node:path";

// executable.ts
async function start() {
  const { seen } = await import("./later.js");
  const { command } = await import("./status-X.js");
  const { pulled } = await import("./pull-X.js");
  const { readFile } = await import("node:fs/promises");
  const found = [join("a", "b").split(separator), path.posix.sep, globalThis.silent, typeof readFile];
  console.log(JSON.stringify([count2(), seen(), command(), pulled(), ...found]));
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
  "pull-X.js": `import {
  more
} from "./more.js";
import {
  count
} from "./shared.js";
var keys = {
  import(name) {
    return \`\${name} \${count()}\`;
  }
};
function pulled() {
  return keys.import(more);
}
export {
  pulled
};
`,
  "more.js": 'var more = "pull";\nexport {\n  more\n};\n',
  "later.js": `import {
  count
} from "./shared.js";
import command from "./status-X.js";
var { basename } = await import("node:path");
var name = basename(import.meta.url);
function seen() {
  return \`later \${count()} \${command()} \${name.length > 3}\`;
}
export {
  seen
};
/* ${"large ".repeat(20_000)} */
`,
  "shared.js": `var counted = 0;
function count() {
  return ++counted;
}
export {
  count
};
`,
} as const;

const PRINTED = `[1,"later 2 status 3 true","status 4","pull 5",["a","b"],"/",true,"function"]\n`;

const COMPILED = { start: ["executable.", "status-"], pull: ["pull-"] };

/** Starts a module in a Deno of its own, as the warning goes to the process's standard error. */
async function runModule(path: string, env: Readonly<Record<string, string>> = {}, flags: string[] = []) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--no-lock", ...flags, path],
    env: { NO_COLOR: "1", ...env },
  });
  const { stdout, stderr } = await command.output();
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("the scripts do what the bundle did, load each file once, and use the code that was compiled ahead", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    ...BUNDLE,
    "run.mjs": 'import { start } from "./executable.js";\nawait start();\n',
  });
  assert.deepEqual(await runModule(join(dir.path, "run.mjs")), { stdout: PRINTED, stderr: "" });
  Deno.removeSync(join(dir.path, "run.mjs"));
  writeScripts(dir.path, COMPILED);
  const written = readFiles(dir.path);
  assert.deepEqual(
    Object.keys(written).sort(),
    ["later.js.br", "load.js", "pull.txt", "run.js", "start.txt"],
    "a file is in the first compiled script that needs it, or in one of its own, compressed if it is large",
  );
  assert.deepEqual(
    ["more.js", "shared.js"].map((name) => [
      written["start.txt"]?.includes(`"./${name}"() {`),
      written["pull.txt"]?.includes(`"./${name}"() {`),
    ]),
    [[false, true], [true, false]],
  );
  assert.match(written["start.txt"] ?? "", /^[\0-\x7f]*$/);
  const run = join(dir.path, "run.js");
  assert.deepEqual(await runModule(run), { stdout: PRINTED, stderr: "" });

  const folder = JSON.stringify(dir.path);
  writeFiles(dir.path, {
    "write.js": `import { scripts, __load } from ${
      JSON.stringify(pathToFileURL(join(dir.path, "load.js")).href)
    };
await __load("./executable.js").start();
for (const [name, script] of scripts) Deno.writeFileSync(${folder} + "/" + name + ".bin", script.createCachedData());
`,
  });
  assert.equal((await runModule(join(dir.path, "write.js"))).stderr, "");
  assert.deepEqual(
    Object.keys(readFiles(dir.path)).filter((name) => name.endsWith(".bin")).sort(),
    ["pull.bin", "start.bin"],
  );
  assert.deepEqual(await runModule(run), { stdout: PRINTED, stderr: "" });
  const other = await runModule(run, {}, ["--v8-flags=--no-opt"]);
  assert.deepEqual([other.stdout, other.stderr.includes(REFUSED_CODE)], [PRINTED, true]);
  const chosen = await runModule(run, { DENO_V8_FLAGS: "--no-opt" });
  assert.deepEqual(chosen, { stdout: PRINTED, stderr: "" }, "flags of the user are no reason to warn");
});

Deno.test("code that is damaged, or that of another program, is compiled again with a warning", async () => {
  using dir = tempDir();
  writeFiles(dir.path, BUNDLE);
  writeScripts(dir.path, COMPILED);
  writeFiles(dir.path, { "start.bin": "not code".repeat(20) });
  const { stdout, stderr } = await runModule(join(dir.path, "run.js"));
  assert.equal(stdout, PRINTED);
  assert.equal(stderr, `model-sync: ${REFUSED_CODE}; starts take longer\n`);
});

Deno.test("scripts are refused if a file has what no script can have, changes an export, or imports a package or a file that waits", () => {
  for (
    const [line, reason] of [
      ["await 1;", /statement that a script cannot have: await 1;/],
      ["for (;;) {\n  await 1;\n}", /executable\.js cannot be a script/],
      ["var here = import.meta.dirname;", /statement that a script cannot have: import\.meta\.dirname/],
      [`import x from "npm:x";`, /a script cannot import npm:x/],
      ["var __load = 1;", /uses the name __load/],
      [
        "var mode = 1;\nfunction set() {\n  if (mode === 1) mode = 2;\n}\nexport {\n  mode,\n  set\n};",
        /changes what it exported: if \(mode === 1\) mode = 2;/,
      ],
      [`import "./missing.js";`, /the bundler did not write \.\/missing\.js/],
      [`import "./waits.js";`, /executable\.js imports \.\/waits\.js, which waits while it is loaded/],
    ] as const
  ) {
    using dir = tempDir();
    writeFiles(dir.path, { "executable.js": `${line}\n`, "waits.js": "var x = await 1;\n" });
    assert.throws(() => writeScripts(dir.path, COMPILED), reason);
  }
});
