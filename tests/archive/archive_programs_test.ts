import assert from "node:assert/strict";
import { writeZip } from "../../lib/archive/zip_writer.ts";
import { readArchiveFile } from "../helpers/read_archive.ts";
import { noise, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const FILES: Readonly<Record<string, Uint8Array>> = {
  "models/BTC_USDC/metadata.json": new TextEncoder().encode('{"rows": 1}\n'.repeat(5000)),
  "models/BTC_USDC/rf.joblib": noise(300_000, 1),
  "models/empty": new Uint8Array(0),
  "models/modèle.onnx": noise(10, 2),
  [`models/${"long_name_".repeat(12)}/${"x".repeat(120)}.bin`]: noise(700, 3),
};

/** A shell script that makes `out` in a folder that holds `models/`, and the program that it needs. */
const MAKERS: Readonly<Record<string, { readonly program: string; readonly script: string }>> = {
  "zip": { program: "zip", script: "zip -qr out models" },
  "zip -0": { program: "zip", script: "zip -qr0 out models" },
  "zip, streamed": { program: "zip", script: "zip -qr - models | cat > out.zip" },
  "zip, with ZIP64 forced": { program: "zip", script: "zip -qr -fz out models" },
  "zip, updated": {
    program: "zip",
    script:
      "zip -qr out models/empty && zip -qr out models && zip -q -d out models/empty && zip -qr out models",
  },
  "zipfile": { program: "python3", script: "python3 -m zipfile -c out.zip models" },
  "zipfile, streamed": {
    program: "python3",
    script: `python3 -c '
import os, sys, zipfile
class Pipe:
    def write(self, data): return sys.stdout.buffer.write(data)
    def flush(self): sys.stdout.buffer.flush()
with zipfile.ZipFile(Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, names in os.walk("models"):
        for name in names: archive.write(os.path.join(folder, name))
' > out.zip`,
  },
  "zipfile, with ZIP64 forced": {
    program: "python3",
    script: `python3 -c '
import os, zipfile
with zipfile.ZipFile("out.zip", "w") as archive:
    for folder, _, names in os.walk("models"):
        for name in names:
            path = os.path.join(folder, name)
            with archive.open(path, "w", force_zip64=True) as target, open(path, "rb") as source:
                target.write(source.read())
'`,
  },
  "shutil.make_archive": {
    program: "python3",
    script: `python3 -c 'import shutil; shutil.make_archive("out", "zip", ".", "models")'`,
  },
  "tar": { program: "tar", script: "tar cf out.tar models" },
  "tar of a folder": { program: "tar", script: "tar cf out.tar ./models" },
  "tar --format=gnu": { program: "tar", script: "tar cf out.tar --format=gnu models" },
  "tar --format=pax": { program: "tar", script: "tar cf out.tar --format=pax models" },
  "tar -z": { program: "tar", script: "tar czf out.tar models" },
  "tar --zstd": { program: "tar zstd", script: "tar cf out.tar.zst --zstd models" },
  "tar and pzstd": {
    program: "tar pzstd",
    script: "tar cf - models | pzstd -q -p 2 -c > out.tar.zst",
  },
  "tar -V": { program: "tar", script: "tar cf out.tar -V 'models of May' models" },
  "tar --format=pax -V": { program: "tar", script: "tar cf out.tar --format=pax -V 'models of May' models" },
  "bsdtar": { program: "bsdtar", script: "bsdtar -cf out.tar models" },
  "bsdtar, of the folder itself": { program: "bsdtar", script: "bsdtar -cf out.tar ./models" },
  "bsdtar, without a locale": {
    program: "bsdtar",
    script: "LC_ALL=C bsdtar --format pax -cf out.tar models 2> /dev/null",
  },
  "bsdtar -z": { program: "bsdtar", script: "bsdtar -czf out.tar.gz models" },
  "bsdtar --zstd": { program: "bsdtar", script: "bsdtar -cf out.tar.zst --zstd models" },
  "bsdtar --format=zip": { program: "bsdtar", script: "bsdtar -cf out.zip --format zip ./models" },
  "bsdtar --format=zip, of where it is": {
    program: "bsdtar",
    script: "mkdir in && mv models in/ && bsdtar -C in -cf out.zip --format zip .",
  },
  "tar, of where it is": {
    program: "tar",
    script: "mkdir in && mv models in/ && tar -C in -czf out.tar.gz .",
  },
  "tarfile": {
    program: "python3",
    script: `python3 -c 'import tarfile
with tarfile.open("out.tar", "w") as archive: archive.add("models")'`,
  },
  "tarfile, gzip": {
    program: "python3",
    script: `python3 -c 'import tarfile
with tarfile.open("out.tar", "w:gz", format=tarfile.GNU_FORMAT) as archive: archive.add("models")'`,
  },
};

/** Scripts that unpack `models.zip` here. */
const READERS: Readonly<Record<string, { readonly program: string; readonly script: string }>> = {
  "unzip": { program: "unzip", script: "unzip -tqq models.zip && unzip -q models.zip" },
  "zipfile": {
    program: "python3",
    script: `python3 -c 'import zipfile
with zipfile.ZipFile("models.zip") as archive: assert archive.testzip() is None; archive.extractall()'`,
  },
};

function run(cwd: string, script: string): void {
  const { success, stderr } = new Deno.Command("sh", {
    args: ["-ec", script],
    cwd,
    env: { LC_ALL: "C.UTF-8" },
    stdout: "null",
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
}

function hasProgram(program: string): boolean {
  return Deno.build.os !== "windows" &&
    program.split(" ").every((one) =>
      new Deno.Command("sh", { args: ["-c", `command -v ${one}`], stdout: "null" }).outputSync().success
    );
}

for (const [name, { program, script }] of Object.entries(MAKERS)) {
  const ignore = !hasProgram(program);
  Deno.test({
    name: `what ${name} makes is read as it was${ignore ? ` (no ${program} here)` : ""}`,
    ignore,
    async fn() {
      using dir = tempDir();
      writeFiles(dir.path, FILES);
      run(dir.path, script);
      const out = [...Deno.readDirSync(dir.path)].find((entry) => entry.name.startsWith("out."));
      const files = await readArchiveFile(`${dir.path}/${out?.name}`);
      assert.deepEqual(new Map([...files].sort()), new Map(Object.entries(FILES).sort()));
    },
  });
}

/** Scripts that pack a folder with a hard link and a file with holes. */
const SHORTENERS: Readonly<Record<string, { readonly program: string; readonly script: string }>> = {
  "bsdtar": { program: "bsdtar", script: "bsdtar -cf out.tar models" },
  "bsdtar, without a locale": {
    program: "bsdtar",
    script: "LC_ALL=C bsdtar --format pax -cf out.tar models 2> /dev/null",
  },
  "bsdtar -z": { program: "bsdtar", script: "bsdtar -czf out.tar models" },
  "bsdtar --format=gnutar": { program: "bsdtar", script: "bsdtar -cf out.tar --format gnutar models" },
  "tar -S": { program: "tar", script: "tar cSf out.tar models" },
  "tar -S --format=pax": { program: "tar", script: "tar cSf out.tar --format=pax models" },
  "tar -S --format=pax -z": { program: "tar", script: "tar cSzf out.tar --format=pax models" },
  "tarfile": {
    program: "python3",
    script: `python3 -c 'import tarfile
with tarfile.open("out.tar", "w") as archive: archive.add("models")'`,
  },
};

for (const [name, { program, script }] of Object.entries(SHORTENERS)) {
  const ignore = !hasProgram(program);
  Deno.test({
    name: `hard links and holes are read as ${name} packs them${ignore ? ` (no ${program} here)` : ""}`,
    ignore,
    async fn() {
      using dir = tempDir();
      const files = {
        ...FILES,
        "models/holes.bin": sparse(1_000_000, [[0, noise(4096, 4)], [499_712, noise(8192, 5)]]),
        "models/modèle with holes.bin": sparse(900_001, [[897_024, noise(2977, 6)]]),
        "models/one_hole.bin": new Uint8Array(300_000),
      };
      writeFiles(dir.path, FILES);
      for (const [path, content] of Object.entries(files)) {
        if (!(path in FILES)) writeSparse(`${dir.path}/${path}`, content);
      }
      const links = {
        [`models/${"link".repeat(30)}`]: "models/BTC_USDC/rf.joblib",
        "models/z.bin": "models/holes.bin",
      };
      for (const [link, path] of Object.entries(links)) {
        Deno.linkSync(`${dir.path}/${path}`, `${dir.path}/${link}`);
      }
      run(dir.path, script);
      const found = await readArchiveFile(`${dir.path}/out.tar`);
      const wanted: Record<string, Uint8Array> = { ...files };
      for (const [link, path] of Object.entries(links)) wanted[link] = found.get(path) ?? new Uint8Array(0);
      assert.deepEqual(new Map([...found].sort()), new Map(Object.entries(wanted).sort()));
    },
  });
}

function sparse(size: number, parts: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const content = new Uint8Array(size);
  for (const [offset, bytes] of parts) content.set(bytes, offset);
  return content;
}

/** Leaves a hole wherever a whole page is zeros. */
function writeSparse(path: string, content: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, createNew: true });
  for (let at = 0; at < content.length; at += 4096) {
    const page = content.subarray(at, at + 4096);
    if (page.every((byte) => byte === 0)) continue;
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(page);
  }
  file.truncateSync(content.length);
}

for (const [name, { program, script }] of Object.entries(READERS)) {
  const ignore = !hasProgram(program);
  Deno.test({
    name: `what writeZip() writes is unpacked by ${name}${ignore ? ` (no ${program} here)` : ""}`,
    ignore,
    async fn() {
      using dir = tempDir();
      writeFiles(`${dir.path}/from`, FILES);
      const inputs = Object.keys(FILES).map((path) => ({ path, location: `${dir.path}/from/${path}` }));
      await writeZip(testContext(), `${dir.path}/models.zip`, inputs);
      run(dir.path, script);
      for (const [path, bytes] of Object.entries(FILES)) {
        assert.deepEqual(Deno.readFileSync(`${dir.path}/${path}`), bytes, path);
      }
    },
  });
}
