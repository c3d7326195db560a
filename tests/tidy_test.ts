import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { PROJECT } from "./helpers/run_cli.ts";

/** What stands in the repository, as git lists it: tracked files and new ones that it does not ignore. */
function projectFiles(): string[] {
  const { success, stdout } = new Deno.Command("git", {
    args: ["-C", PROJECT, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
  }).outputSync();
  assert.ok(success);
  const files = new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
  return files.filter((path) => {
    try {
      return Deno.statSync(join(PROJECT, path)).isFile;
    } catch {
      // Removed, and not committed yet.
      return false;
    }
  });
}

const FILES = projectFiles();
const SOURCES = FILES.filter((path) => /\.tsx?$/.test(path));

/** The relative imports of a file, as paths in the project; types too. */
function importsOf(path: string): string[] {
  const text = Deno.readTextFileSync(join(PROJECT, path));
  const specifiers = text.matchAll(
    /^(?:import|export)\b[^;]*?from "(\.{1,2}\/[^"]+)"|import\("(\.{1,2}\/[^"]+)"\)|^import "(\.[^"]+)"|^\/\/ @ts-types="(\.[^"]+)"/gms,
  );
  // Examples in comments begin with a star.
  const code = text.replace(/^\s*\*.*$/gm, "");
  return Array.from(specifiers, (match) => match.slice(1).find((path) => path !== undefined) ?? "")
    .filter((specifier) => code.includes(`"${specifier}"`))
    .map((specifier) => relative(PROJECT, join(PROJECT, dirname(path), specifier)));
}

const GRAPH = new Map(SOURCES.map((path) => [path, importsOf(path)]));

/** The rooms of ARCHITECTURE with their lines: a room may import those of earlier lines. */
function roomLevels(): Map<string, number> {
  const text = Deno.readTextFileSync(join(PROJECT, ".github/ARCHITECTURE.md"));
  const [, block] = /^```text rooms\n(.*?)^```$/ms.exec(text) ?? [];
  assert.ok(block !== undefined, "ARCHITECTURE.md lists the rooms");
  const levels = block.trim().split("\n").map((line) => line.split(" "));
  return new Map(levels.flatMap((rooms, level) => rooms.map((room) => [room, level] as const)));
}

/** The room of a file: the longest listed folder above it. */
function roomOf(path: string, rooms: Iterable<string>): string | undefined {
  const above = [...rooms].filter((room) => path.startsWith(`${room}/`));
  return above.sort((a, b) => b.length - a.length)[0];
}

Deno.test("a room imports only itself and the rooms that ARCHITECTURE lists before it; types and import() included", () => {
  const levels = roomLevels();
  for (const [path, imports] of GRAPH) {
    if (!/^(lib|cli|web)\//.test(path)) continue;
    const room = roomOf(path, levels.keys());
    assert.ok(room !== undefined, `${path} is in no room that ARCHITECTURE lists`);
    for (const target of imports) {
      if (target === "deno.json" && path === "lib/core/version.ts") continue;
      const imported = roomOf(target, levels.keys());
      assert.ok(imported !== undefined, `${path} imports ${target}, which is in no room`);
      const isBefore = (levels.get(imported) ?? 0) < (levels.get(room) ?? 0);
      assert.ok(
        imported === room || isBefore,
        `${path} imports ${target}: ARCHITECTURE does not list ${imported} before ${room}`,
      );
    }
  }
});

Deno.test("only tests import tests, and fakes import no tests", () => {
  for (const [path, imports] of GRAPH) {
    if (path.startsWith("tests/")) continue;
    for (const target of imports) assert.ok(!target.startsWith("tests/"), `${path} imports ${target}`);
  }
});

Deno.test("no two files import each other, over however many others; types and import() included", () => {
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    if (finished.has(path)) return;
    assert.ok(!trail.includes(path), `a circle: ${[...trail, path].join(" → ")}`);
    for (const target of GRAPH.get(path) ?? []) visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const path of GRAPH.keys()) visit(path, []);
});

Deno.test("every source file is imported, run or tested by another", () => {
  const text = FILES.filter((path) => /\.(tsx?|json|md|ya?ml)$/.test(path)).map((path) =>
    [path, Deno.readTextFileSync(join(PROJECT, path))] as const
  );
  for (const path of SOURCES) {
    if (/_test\.tsx?$/.test(path)) continue;
    const imported = [...GRAPH].some(([other, imports]) => other !== path && imports.includes(path));
    const named = text.some(([other, content]) => other !== path && content.includes(path));
    assert.ok(imported || named, `${path} is used by nobody`);
  }
});

Deno.test("files have one main export of their own name, in snake_case, and there are no barrels", () => {
  for (const path of SOURCES) {
    const name = path.split("/").at(-1) ?? "";
    assert.match(name, /^_?[a-z0-9]+(_[a-z0-9]+)*\.tsx?$|^[A-Z][A-Za-z]+\.tsx$/, path);
    assert.ok(!["index.ts", "mod.ts", "utils.ts", "helpers.ts"].includes(name), path);
  }
});

Deno.test("functions of lib, cli and web stay short enough to read at once", () => {
  for (const path of SOURCES.filter((path) => /^(lib|cli|web)\//.test(path))) {
    const lines = Deno.readTextFileSync(join(PROJECT, path)).split("\n");
    assert.ok(lines.length <= 360, `${path} has ${lines.length} lines`);
    let start: number | undefined;
    for (const [index, line] of lines.entries()) {
      if (/^(export )?(async )?function\*? /.test(line)) start = index;
      if (line === "}" && start !== undefined) {
        assert.ok(index - start <= 70, `${path}:${start + 1} has a function of ${index - start} lines`);
        start = undefined;
      }
    }
  }
});

/** The process that tries one ONNX model: it answers its parent on standard output, and exits. */
const PROCESS_ENTRY = "lib/validators/onnx/try_onnx.ts";

Deno.test("only the shell of a command prints and exits, and the one process that lib starts by its own file", () => {
  for (const path of SOURCES.filter((path) => path.startsWith("lib/"))) {
    const code = Deno.readTextFileSync(join(PROJECT, path)).replace(/^\s*\*.*$/gm, "");
    if (path !== PROCESS_ENTRY) {
      assert.doesNotMatch(code, /\bDeno\.exit\(|Deno\.stdout|Deno\.stderr|console\./, path);
    }
    // Not by a path in a text either: what lib starts as a process lies in lib.
    assert.doesNotMatch(code.replace(/^\s*\/\/.*$/gm, ""), /\bcli\/\w+\.ts/, path);
  }
});

Deno.test("no file holds a registry's host, a path of somebody's machine, or an unfinished thought", () => {
  for (
    const path of FILES.filter((path) => !/\.(png|ico|webp)$/.test(path) && path !== "tests/tidy_test.ts")
  ) {
    const text = Deno.readTextFileSync(join(PROJECT, path));
    assert.doesNotMatch(text, /registry\.npmjs|\/home\/[a-z]+\/|\/Users\/[a-z]+\/|\/root\//, path);
    if (/\.tsx?$/.test(path)) {
      assert.doesNotMatch(text, /\bTODO\b|\bFIXME\b|@ts-ignore|@ts-expect-error|\bas any\b|: any\b/, path);
    }
  }
});

Deno.test("every dependency comes from npm, at an exact version, and stands in the lock file", () => {
  for (const folder of [PROJECT, join(PROJECT, "lib/validators/onnx")]) {
    const { imports }: { imports: Record<string, string> } = JSON.parse(
      Deno.readTextFileSync(join(folder, "deno.json")),
    );
    const lock: { specifiers: Record<string, string> } = JSON.parse(
      Deno.readTextFileSync(join(folder, "deno.lock")),
    );
    for (const [name, target] of Object.entries(imports)) {
      assert.match(target, /^npm:(@[\w-]+\/)?[\w-]+@\d+\.\d+\.\d+$/, name);
      assert.ok(Object.hasOwn(lock.specifiers, target), `${target} is not locked`);
    }
    for (const specifier of Object.keys(lock.specifiers)) {
      assert.ok(Object.values(imports).includes(specifier), `${specifier} is locked and not imported`);
    }
  }
});
