import assert from "node:assert/strict";
import { load } from "js-yaml";
import * as z from "zod";
import { Validate } from "../../../lib/config/sections/validate.ts";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { adviseImports } from "../../../lib/validators/pickle/refusals.ts";
import { inspectBytes } from "./inspect_bytes.ts";
import { global, PROTO_4, rawPickle, stackGlobal, text } from "../../helpers/raw_pickle.ts";
import { rawZip } from "../../helpers/raw_zip.ts";

async function refusal(content: Uint8Array, name: string, allow: readonly string[] = []) {
  try {
    await inspectBytes(content, name, allow);
  } catch (error) {
    assert.ok(error instanceof InvalidModelError);
    return error;
  }
  assert.fail(`${name} is not refused`);
}

const Pasted = z.object({ allow: z.array(z.string()) });

/** Returns the list in the hint, parsed by YAML and the configuration's schema. */
function pasted(hint: string | undefined): readonly string[] {
  const line = /activation\.validate\.pickle: (allow: \[[^\]]*\])/.exec(hint ?? "")?.[1];
  assert.ok(line !== undefined, hint);
  const pickle = Pasted.parse(load(line));
  return Validate.parse({ pickle }).pickle.allow;
}

const called = (module: string, name: string) => rawPickle(stackGlobal(module, name), ")R");
const made = (module: string, name: string) => rawPickle(stackGlobal(module, name), ")", 0x81);

/** Everything that picklers write for a user's own classes and functions. */
const OWN = rawPickle(
  "(",
  made("bot.models", "Net"),
  rawPickle("}", text("scale"), stackGlobal("bot.util", "scale"), "sb"),
  called("bot.models", "Net.load_weights"),
  // The result of a class's method is called: `getattr(cls, name)(...)`.
  rawPickle(stackGlobal("bot.reach", "method"), text("x"), 0x85, "R)R"),
  rawPickle(stackGlobal("collections", "defaultdict"), stackGlobal("bot.util", "zero"), 0x85, "R"),
  rawPickle(
    stackGlobal("copyreg", "_reconstructor"),
    stackGlobal("bot.arrays", "Masked"),
    stackGlobal("bot.arrays", "Base"),
    "N",
    0x87,
    "R",
  ),
  rawPickle(
    stackGlobal("numpy.core.multiarray", "_reconstruct"),
    stackGlobal("bot.arrays", "Tagged"),
    rawPickle("K", 0, 0x85),
    rawPickle("C", 1, "b"),
    0x87,
    "R",
  ),
  stackGlobal("__main__", "Scaler"),
  "t.",
);

const NAMED = [
  "bot.models.Net",
  "bot.util.scale",
  "bot.models.Net.load_weights",
  "bot.reach.method",
  "bot.util.zero",
  "bot.arrays.Masked",
  "bot.arrays.Base",
  "bot.arrays.Tagged",
  "__main__.Scaler",
];

Deno.test("a refusal names every forbidden import, and the model passes once its line is in the configuration", async () => {
  const contents: Readonly<Record<string, Uint8Array>> = {
    "m.pkl": rawPickle(PROTO_4, OWN),
    "m.joblib": OWN,
    "weights.bin": OWN,
    "model": rawPickle(PROTO_4, OWN),
    "m.zip": rawZip([{ name: "a.pkl", content: OWN }]),
  };
  for (const [name, content] of Object.entries(contents)) {
    const { message, hint, imports } = await refusal(content, name);
    assert.match(
      message,
      /imports bot\.models\.Net at byte \d+, and imports bot\.util\.scale, .*; allowed are/,
    );
    assert.deepEqual(imports, NAMED, name);
    assert.deepEqual(pasted(hint), NAMED);
    assert.equal(await inspectBytes(content, name, pasted(hint)), true);
  }
});

Deno.test("a refusal also names imports behind an array and in later pickles of the file", async () => {
  const pickle = (name: string) => rawPickle(PROTO_4, stackGlobal("bot.models", name), ".");
  const { imports } = await refusal(rawPickle(pickle("A"), pickle("B"), pickle("A"), pickle("C")), "m.pkl");
  assert.deepEqual(imports, ["bot.models.A", "bot.models.B", "bot.models.C"]);
});

Deno.test("a file that breaks after its imports is refused for the imports", async () => {
  for (const name of ["m.pkl", "weights.bin"]) {
    const { message, imports } = await refusal(
      rawPickle(PROTO_4, stackGlobal("bot.models", "A"), called("bot.models", "B"), 0xff),
      name,
    );
    assert.match(message, /imports bot\.models\.A at byte/);
    assert.deepEqual(imports, ["bot.models.A", "bot.models.B"]);
  }
});

Deno.test("imports that do not fit a message are counted", async () => {
  const many = Array.from({ length: 300 }, (_, at) => stackGlobal("bot.models", `Layer${at}`));
  const { message, hint, imports } = await refusal(rawPickle(PROTO_4, "(", ...many, "t."), "m.pkl");
  assert.equal(imports.length, 300);
  assert.match(message, /Layer39, bot\.models\.Layer40 and 259 more; allowed are/);
  assert.match(hint ?? "", /Layer39\] \(and 260 more, which the next refusal names\)$/);
  assert.equal(pasted(hint).length, 40);

  const long = Array.from(
    { length: 20 },
    (_, at) => stackGlobal("bot.models", `Layer${at}`.padEnd(239, "x")),
  );
  const lengthy = await refusal(rawPickle(PROTO_4, "(", ...long, "t."), "m.pkl");
  assert.equal(pasted(lengthy.hint).length, 10);
  assert.match(lengthy.hint ?? "", / \(and 10 more, which the next refusal names\)$/);

  const countless = Array.from({ length: 1001 }, (_, at) => stackGlobal("bot.models", `Layer${at}`));
  assert.equal((await refusal(rawPickle(PROTO_4, "(", ...countless, "t."), "m.pkl")).imports.length, 1000);
});

const DANGEROUS = [
  "builtins.getattr",
  "__builtin__.eval",
  "functools.partial",
  "torch.storage._load_from_bytes",
  "torch.load",
  "joblib.numpy_pickle.load",
  "joblib.load",
  "numpy.testing._private.utils.runstring",
  "pandas.io.pickle.read_pickle",
  "pandas.core.computation.eval.eval",
  "sklearn.datasets._base.load_files",
  "scipy.stats._continuous_distns.norm_gen",
  "operator.methodcaller",
  "os.system",
  "bot.models.os.system",
  "bot.util.eval",
  "importlib.import_module",
  "subprocess.Popen",
];

Deno.test("imports that would let a file run any code are not advised, and the refusal warns of them", async () => {
  for (const name of DANGEROUS) {
    const advice = adviseImports([name, "bot.models.Net"]);
    assert.ok(advice.startsWith(`do not allow ${name}: with it, a file can run any code`), advice);
    assert.deepEqual(pasted(advice), ["bot.models.Net"]);
    const [, module = "", attribute = ""] = /^(.*)\.(\w+)$/.exec(name) ?? [];
    const { hint } = await refusal(rawPickle(PROTO_4, called(module, attribute), "."), "m.pkl");
    assert.match(
      hint ?? "",
      /^do not allow .*: with it, a file can run any code or read any file; save the/,
    );
    assert.doesNotMatch(hint ?? "", /allow: \[/);
  }
  for (const harmless of ["torch.nn.modules.linear.Linear", "types.SimpleNamespace", "bot.models.run_net"]) {
    assert.deepEqual(pasted(adviseImports([harmless])), [harmless]);
  }
});

Deno.test("an object that the file created is not advised", async () => {
  const { message, hint } = await refusal(rawPickle(PROTO_4, "cbuiltins\nset\n)R)R."), "m.pkl");
  assert.match(message, /its pickle calls data|its pickle calls an object/);
  assert.doesNotMatch(hint ?? "", /an object|allow:/);
});

Deno.test("a dotted name is allowed only by an exact pattern", async () => {
  const content = rawPickle(PROTO_4, stackGlobal("bot.models", "os.system"), ")R.");
  await refusal(content, "m.pkl", ["bot.*", "bot.models.*"]);
  assert.equal(await inspectBytes(content, "m.pkl", ["bot.models.os.system"]), true);
});

Deno.test("names that the configuration cannot hold are not advised", async () => {
  for (const [module, name] of [["my-bot", "Net"], ["mödul", "Größe"]] as const) {
    const { hint } = await refusal(rawPickle(PROTO_4, global(module, name), "."), "m.pkl");
    assert.equal(
      hint,
      `rename these, which the configuration cannot name, and save the model again: ${module}.${name}`,
    );
  }
});

Deno.test("a refusal for calls and objects of known classes names all of them, and the model passes once they are allowed", async () => {
  const content = rawPickle(
    PROTO_4,
    "(",
    called("statsmodels.tsa.statespace._representation", "dStatespace"),
    called("statsmodels.tsa.statespace._kalman_filter", "dKalmanFilter"),
    called("sklearn.svm", "SVC"),
    rawPickle(stackGlobal("sklearn.linear_model", "Ridge"), "K", 1, 0x85, 0x81),
    made("numpy", "mean"),
    called("bot.models", "Net"),
    "t.",
  );
  const { hint } = await refusal(content, "m.pkl");
  const allow = pasted(hint);
  assert.deepEqual([...allow].sort(), [
    "bot.models.Net",
    "numpy.mean",
    "sklearn.linear_model.Ridge",
    "sklearn.svm.SVC",
    "statsmodels.tsa.statespace._kalman_filter.dKalmanFilter",
    "statsmodels.tsa.statespace._representation.dStatespace",
  ]);
  assert.equal(await inspectBytes(content, "m.pkl", allow), true);
});

Deno.test("result classes of scipy's tests are not called dangerous", () => {
  assert.match(adviseImports(["scipy.stats._stats_mstats_common.LinregressResult"]), /allow: \[scipy/);
  assert.match(adviseImports(["scipy.stats._distn_infrastructure.rv_generic"]), /do not allow/);
});
