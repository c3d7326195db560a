import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { MARKER } from "../../../configs/install/launcher.ts";
import { PROJECT } from "../../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";
import { writeProgram } from "../../helpers/make_program.ts";

const SCRIPT = join(PROJECT, "configs/release/install.sh");

function has(program: string): boolean {
  return Deno.build.os !== "windows" &&
    new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync().success;
}

const HAS_PROGRAMS = ["curl", "tar", "gzip", "sha256sum"].every(has);
const WITHOUT = HAS_PROGRAMS ? "" : " (no curl, tar, gzip or sha256sum here)";

/** dash is the sh of Debian, and the strictest. */
const SHELL = has("dash") ? "dash" : "sh";

const PLATFORM = `${Deno.build.os === "darwin" ? "macos" : "linux"}-${
  Deno.build.arch === "aarch64" ? "arm64" : "x64"
}`;

/** A page of releases on loopback, and a folder to install to. */
class InstallWorld implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** The files by their paths below the page of the releases. */
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly requests: string[] = [];
  /** Replaces an answer. */
  answer: (path: string) => Response | undefined = () => undefined;

  constructor() {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname.replace("/releases/", ""));
      this.requests.push(path);
      const file = this.files.get(path);
      return this.answer(path) ??
        (file === undefined ? new Response("Not Found", { status: 404 }) : new Response(file));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    this.#dir[Symbol.dispose]();
  }

  get releases(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/releases`;
  }

  get prefix(): string {
    return join(this.#dir.path, "prefix");
  }

  get program(): string {
    return join(this.prefix, "bin/model-sync");
  }

  /** Adds a release. Its program is a script that says its version. @returns the name of the archive */
  addRelease(
    version: string,
    { latest = true, says = version }: { latest?: boolean; says?: string } = {},
  ): string {
    const folder = join(this.#dir.path, `release-${version}`);
    writeFiles(folder, { "LICENSE": "MIT", "model-sync": `#!/bin/sh\necho "model-sync ${says} (a test)"\n` });
    const name = `model-sync-${version}-${PLATFORM}.tar.gz`;
    const { success } = new Deno.Command("tar", {
      args: ["-czf", join(this.#dir.path, name), "-C", folder, "LICENSE", "model-sync"],
    }).outputSync();
    assert.ok(success);
    const archive = Deno.readFileSync(join(this.#dir.path, name));
    const sums = new TextEncoder().encode(
      `${"0".repeat(64)}  model-sync-${version}-plan9-x64.tar.gz\n${sha256(archive)}  ${name}\n`,
    );
    this.files.set(`download/v${version}/${name}`, archive).set(`download/v${version}/SHA256SUMS`, sums);
    if (latest) this.files.set("latest/download/SHA256SUMS", sums);
    return name;
  }

  /** Changes the checksums of all releases. */
  changeSums(change: (text: string) => string): void {
    for (const [path, bytes] of this.files) {
      if (path.endsWith("SHA256SUMS")) {
        this.files.set(path, new TextEncoder().encode(change(new TextDecoder().decode(bytes))));
      }
    }
  }

  /** Returns the command that runs the script. @param programs the only programs on the PATH besides those of `stubs` */
  command(args: readonly string[], { env = {}, stubs = {}, programs }: {
    readonly env?: Readonly<Record<string, string>>;
    readonly stubs?: Readonly<Record<string, string>>;
    readonly programs?: readonly string[];
  } = {}): Deno.Command {
    const bin = join(this.#dir.path, crypto.randomUUID());
    Deno.mkdirSync(bin);
    for (const [name, script] of Object.entries(stubs)) {
      writeProgram(join(bin, name), `#!/bin/sh\n${script}\n`);
    }
    const [shell, ...paths] = [SHELL, ...(programs ?? [])].map((program) => {
      const { stdout } = new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).outputSync();
      return new TextDecoder().decode(stdout).trim();
    });
    for (const path of paths) Deno.symlinkSync(path, join(bin, path.split("/").at(-1) ?? ""));
    return new Deno.Command(shell ?? "sh", {
      args: [SCRIPT, "--prefix", this.prefix, ...args],
      clearEnv: true,
      env: {
        PATH: programs === undefined ? `${bin}:${Deno.env.get("PATH") ?? ""}` : bin,
        HOME: this.#dir.path,
        MODEL_SYNC_RELEASES: this.releases,
        ...env,
      },
      stdin: "null",
    });
  }

  async run(...[args, options]: Parameters<InstallWorld["command"]>) {
    const { code, stdout, stderr } = await this.command(args, options).output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  }

  /** Asserts that an installation fails with this message, and leaves the installed program and no file of its own. */
  async refuses(message: RegExp, ...[args, options]: Parameters<InstallWorld["command"]>): Promise<void> {
    const before = this.installed;
    const { code, stderr } = await this.run(args, options);
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /^error: [^\n]+\nnext: {2}[^\n]+\n$|^error: [^\n]+\n$/);
    assert.equal(this.installed, before);
    this.assertClean();
  }

  get installed(): string | undefined {
    try {
      return Deno.readTextFileSync(this.program);
    } catch {
      return undefined;
    }
  }

  assertClean(): void {
    const names = Array.from(Deno.readDirSync(join(this.prefix, "bin")), ({ name }) => name);
    assert.deepEqual(names.filter((name) => name !== "model-sync"), []);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

Deno.test({
  name:
    `install.sh installs the newest release or a named one, with curl or wget, and replaces the old one${WITHOUT}`,
  ignore: !HAS_PROGRAMS,
  async fn() {
    await using world = new InstallWorld();
    world.addRelease("0.1.0");
    const archive = world.addRelease("0.2.0-rc.1");
    const { code, stdout, stderr } = await world.run([]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(stdout.split("\n").map((line) => line.replaceAll(world.prefix, "PREFIX")), [
      `downloading ${archive}`,
      "installed model-sync 0.2.0-rc.1 (a test)",
      "  PREFIX/bin/model-sync",
      '  add it to your PATH: export PATH="PREFIX/bin:$PATH"',
      "  try it:      model-sync doctor",
      "  remove it:   rm PREFIX/bin/model-sync",
      "",
    ]);
    assert.deepEqual(world.requests, ["latest/download/SHA256SUMS", `download/v0.2.0-rc.1/${archive}`]);
    assert.equal((Deno.statSync(world.program).mode ?? 0) & 0o777, 0o755);
    if (has("wget")) {
      const programs = [
        "wget",
        "tar",
        "gzip",
        "openssl",
        "mktemp",
        "id",
        "uname",
        "cat",
        "mkdir",
        "rm",
        "mv",
        "chmod",
        "find",
        "sh",
        "head",
        "grep",
        "tail",
      ]
        .filter(has);
      const old = await world.run(["--version", "v0.1.0", "--quiet"], { programs });
      assert.deepEqual(old, { code: 0, stdout: "", stderr: "" });
      assert.match(world.installed ?? "", /0\.1\.0/);
    }
    world.assertClean();
    const relative = await new Deno.Command(SHELL, {
      args: [SCRIPT, "--prefix=a folder"],
      cwd: world.prefix,
      env: { MODEL_SYNC_RELEASES: `${world.releases}/` },
    }).output();
    const said = new TextDecoder().decode(relative.stdout);
    assert.ok(said.includes(`\n  ${world.prefix}/a folder/bin/model-sync\n`), said);
  },
});

Deno.test({
  name: `install.sh refuses every damaged download, and leaves the installed program${WITHOUT}`,
  ignore: !HAS_PROGRAMS,
  async fn() {
    await using world = new InstallWorld();
    const archive = world.addRelease("1.0.0");
    assert.equal((await world.run(["--quiet"])).code, 0);
    const path = `download/v1.0.0/${archive}`;
    const good = world.files.get(path) ?? new Uint8Array();

    world.files.set(path, new Uint8Array([...good.slice(0, -1), 1]));
    await world.refuses(
      /The checksum of model-sync-1\.0\.0-\S+ does not match: it is [0-9a-f]{64}, SHA256SUMS says/,
      [],
    );
    world.files.set(path, good.slice(0, 40));
    await world.refuses(/does not match/, []);
    world.files.set(path, good);
    // GitHub redirects to another server, whose connection breaks in the middle.
    using breaking = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const broken = breakConnection(breaking, good);
    world.answer = (asked) =>
      asked === path ? Response.redirect(`http://127.0.0.1:${breaking.addr.port}/`) : undefined;
    await world.refuses(/Cannot download http:\S+: curl: \(\d+\)/, []);
    await broken;
    world.answer = (asked) => asked === path ? new Response("no", { status: 403 }) : undefined;
    await world.refuses(/Cannot download http:\S+: .*403/, []);
    world.answer = () => undefined;

    const sums = new TextDecoder().decode(world.files.get("latest/download/SHA256SUMS"));
    const line = sums.split("\n")[1] ?? "";
    const cases: readonly [string, RegExp][] = [
      ["", /The release has no checksum for an archive for/],
      ["<html>Not what you want</html>\n", /has no checksum for an archive/],
      [line.replace(/^.{10}/, ""), /has no checksum for an archive|is damaged/],
      [`${line.slice(9)}\n`, /the checksum of model-sync-1\.0\.0-\S+ is damaged/],
      [`${line.toUpperCase().replace(archive.toUpperCase(), archive)}\n`, /is damaged/],
      [`${line}\n${line}\n`, /names two archives/],
      [`${line.replace("1.0.0", "../../x")}\n`, /it names model-sync-\.\.\/\.\.\/x/],
      [`${line.replace("1.0.0", "9.9.9")}\n`, /Cannot find http:\S+\/v9\.9\.9\//],
    ];
    for (const [text, message] of cases) {
      world.changeSums(() => text);
      await world.refuses(message, []);
    }
    world.changeSums(() => sums);
    await world.refuses(/Cannot find http:\S+\/download\/v7\.0\.0\/SHA256SUMS/, ["--version", "7.0.0"]);
    world.addRelease("1.1.0", { says: "1.0.9" });
    await world.refuses(/The executable says "model-sync 1\.0\.9 \(a test\)", not version 1\.1\.0/, []);
    assert.match(world.installed ?? "", /1\.0\.0/);
  },
});

/** Answers one request with a body that ends before its length. */
async function breakConnection(listener: Deno.TcpListener, bytes: Uint8Array): Promise<void> {
  using connection = await listener.accept();
  await connection.read(new Uint8Array(4096));
  const head = `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head));
  await connection.write(bytes.subarray(0, 50));
}

Deno.test({
  name:
    `install.sh names an unsupported platform, a missing program, a wrong option and a folder that it may not write${WITHOUT}`,
  ignore: !HAS_PROGRAMS,
  async fn() {
    await using world = new InstallWorld();
    world.addRelease("1.0.0");
    Deno.mkdirSync(join(world.prefix, "bin"), { recursive: true });
    const uname = (system: string, machine: string) => ({
      stubs: { uname: `[ "$1" = -m ] && echo ${machine} || echo ${system}` },
    });
    await world.refuses(/There is no executable for Linux on armv7l/, [], uname("Linux", "armv7l"));
    await world.refuses(/There is no executable for FreeBSD/, [], uname("FreeBSD", "amd64"));
    await world.refuses(/This is Windows\nnext: {2}use install\.ps1/, [], uname("MINGW64_NT-10.0", "x86_64"));
    await world.refuses(/no checksum for an archive for macos-arm64/, [], {
      stubs: { ...uname("Darwin", "x86_64").stubs, sysctl: "echo 1" },
    });
    const few = ["id", "uname", "cat", "mkdir", "mktemp"];
    await world.refuses(/neither curl nor wget is installed/, [], { programs: few });
    await world.refuses(/sha256sum, shasum and openssl are missing/, [], { programs: [...few, "curl"] });
    await world.refuses(/tar is not installed/, [], { programs: [...few, "curl", "sha256sum"] });
    await world.refuses(/Unknown option --yes/, ["--yes"]);
    await world.refuses(/Cannot use --version: it needs a value/, ["--version"]);
    await world.refuses(/Cannot use --version 1;id: it is not a version/, ["--version", "1;id"]);
    await world.refuses(/does not know the page of the releases/, [], { env: { MODEL_SYNC_RELEASES: "" } });
    await world.refuses(/has to begin with https/, [], {
      env: { MODEL_SYNC_RELEASES: "http://example.org/releases" },
    });
    await world.refuses(/Cannot write to \S+\/file\/bin/, ["--prefix", join(world.prefix, "file")], {
      stubs: { mkdir: "exit 1" },
    });
    Deno.writeTextFileSync(world.program, `#!/bin/sh\n# Starts model-sync. ${MARKER}: to remove it, run\n`);
    await world.refuses(
      /model-sync starts a clone\nnext: {2}remove it first, as its first lines say, or choose another --prefix/,
      [],
    );
    Deno.removeSync(world.program);
    Deno.mkdirSync(world.program);
    await world.refuses(/model-sync is a folder/, []);
    assert.deepEqual(world.requests.filter((path) => !path.endsWith("SHA256SUMS")), []);
    const { code, stdout } = await world.run(["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /^Installs the executable[^]*--prefix DIR[^]*MODEL_SYNC_RELEASES/);
  },
});

Deno.test({
  name: `an install.sh that is stopped or killed during the download leaves the installed program${WITHOUT}`,
  ignore: !HAS_PROGRAMS,
  async fn() {
    await using world = new InstallWorld();
    const archive = world.addRelease("1.0.0");
    assert.equal((await world.run(["--quiet"])).code, 0);
    const before = world.installed;
    let asked = Promise.withResolvers<void>();
    world.answer = (path) => {
      if (!path.endsWith(archive)) return undefined;
      asked.resolve();
      return new Response(new ReadableStream());
    };
    const stop = async (signal: Deno.Signal) => {
      asked = Promise.withResolvers<void>();
      const child = new Deno.Command(SHELL, {
        args: [SCRIPT, "--prefix", world.prefix],
        detached: true,
        env: { MODEL_SYNC_RELEASES: world.releases },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      await asked.promise;
      // As a terminal does: to the group of the script and its curl.
      Deno.kill(-child.pid, signal);
      assert.notEqual((await child.status).code, 0);
      assert.equal(world.installed, before);
    };
    await stop("SIGTERM");
    world.assertClean();
    // Nothing can remove the files of a killed script at once. The next one replaces the program all the same.
    await stop("SIGKILL");
    world.answer = () => undefined;
    world.addRelease("2.0.0");
    assert.equal((await world.run(["--quiet"])).code, 0);
    assert.match(world.installed ?? "", /2\.0\.0/);
  },
});

Deno.test({
  name: `shellcheck has nothing to say about install.sh${has("shellcheck") ? "" : " (no shellcheck here)"}`,
  ignore: !has("shellcheck"),
  fn() {
    const { stdout } = new Deno.Command("shellcheck", { args: [SCRIPT] }).outputSync();
    assert.equal(new TextDecoder().decode(stdout), "");
  },
});
