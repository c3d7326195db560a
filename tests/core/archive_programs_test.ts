import assert from "node:assert/strict";
import { writeZip } from "../../lib/core/archive.ts";
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
    new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync().success;
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
