/**
 * Loads a model folder in a loop until standard input closes, as a consumer does: opens the folder once, then reads
 * its files. Prints how many loads there were, how many failed, and how many saw files of two releases.
 */
const [modelsDir = ""] = Deno.args;

let stopped = false;
Deno.stdin.read(new Uint8Array(1)).then(() => stopped = true);

let loads = 0;
let failed = 0;
let mixed = 0;
while (!stopped) {
  for (let count = 0; count < 50; count++) {
    loads++;
    try {
      const folder = Deno.realPathSync(modelsDir);
      const versions = new Set(
        ["a.onnx", "b.onnx", "c/d.onnx"].map((name) => Deno.readTextFileSync(`${folder}/${name}`)),
      );
      if (versions.size !== 1) mixed++;
    } catch {
      failed++;
    }
  }
  // Lets the end of standard input be noticed.
  await new Promise((resolve) => setTimeout(resolve));
}
await new Blob([JSON.stringify({ loads, failed, mixed })]).stream().pipeTo(Deno.stdout.writable);
