import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import * as z from "zod";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { global, PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { joined, rawZip } from "../../helpers/raw_zip.ts";
import {
  findBytecodeProblem,
  findCodeProblem,
} from "../../../lib/validators/pickle/unpack/torchscript_code.ts";
import samples from "./samples.json" with { type: "json" };

const MAGIC = rawPickle(PROTO_4, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, ".");
const NOTHING = rawPickle(0x80, 2, "N.");
const OLD_TORCH = joined([MAGIC, NOTHING, NOTHING, NOTHING, NOTHING]);
const NAMES = ["m.pkl", "m.pt", "m.joblib", "weights.bin", "model"];

Deno.test("a pickle behind the five in torch's old files is inspected, however many precede it", async () => {
  const hostile = [
    rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R."),
    rawPickle(global("os", "system"), "(S'id'\ntR."),
    rawPickle(global("posix", "system"), "(S'id'\ntR", 0),
    rawPickle("cantigravity\nx\n", 0),
    rawPickle("iantigravity\nx\n"),
  ];
  for (const pickle of hostile) {
    for (const between of [0, 1, 7]) {
      const content = joined([OLD_TORCH, ...Array.from({ length: between }, () => NOTHING), pickle]);
      await refusesBytes(content, /imports (os|posix)\.system|imports antigravity\.x/, NAMES);
    }
  }
});

Deno.test("too many pickles are refused, in torch's old files, too", async () => {
  const many = new Uint8Array(100_001 * 2);
  for (let at = 0; at < many.length; at += 2) many.set([0x4e, 0x2e], at);
  await refusesBytes(joined([OLD_TORCH, many]), /more than 100000 pickles/, ["m.pkl", "m.pt"]);
});

Deno.test("bytes of tensors behind the pickles in torch's old files pass", async () => {
  const tensors = [
    new Uint8Array(64),
    rawPickle(8, 0, 0, 0, 0, 0, 0, 0, new Uint8Array(new Float32Array([0.1, -2, 3, 1e9]).buffer)),
    rawPickle("cmy_module\nx\n"),
    rawPickle("c", "m".repeat(300), "\nx\n"),
    rawPickle("q", 1, "abc"),
    new Uint8Array(4096).fill(0x28),
    new Uint8Array(new Float32Array(1000).fill(0.3).buffer),
  ];
  for (const bytes of tensors) {
    for (const name of NAMES) await inspectBytes(joined([OLD_TORCH, bytes]), name);
  }
});

const Scripts = z.record(z.string(), z.string());
const SCRIPTS = Object.entries(Scripts.parse(samples.torchscript));

Deno.test("archives of TorchScript pass: their pickles name types in the archive, not in Python", async () => {
  assert.ok(SCRIPTS.length > 0);
  for (const [what, sample] of SCRIPTS) {
    const archive = new Uint8Array(inflateSync(Uint8Array.fromBase64(sample)));
    for (const name of ["m.pt", "model", "m.pth"]) {
      assert.equal(await inspectBytes(archive, name).catch((error) => `${what}: ${error}`), true);
    }
  }
});

const SCRIPT = rawPickle(0x80, 2, global("__torch__", "Net"), ")", 0x81, "}b.");
const CODE = "class Net(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return x\n";
const archive = (entries: Readonly<Record<string, Uint8Array | string>>) =>
  rawZip(Object.entries(entries).map(([name, content]) => ({ name, content: rawPickle(content) })));
const CONSTANTS = rawPickle(0x80, 2, ").");

Deno.test("names of TorchScript's types are refused in other files", async () => {
  const expected = /imports __torch__\.Net/;
  await refusesBytes(SCRIPT, expected, NAMES);
  await refusesBytes(archive({ "m/data.pkl": SCRIPT }), expected, ["m.pt"]);
  await refusesBytes(archive({ "m/data.pkl": SCRIPT, "m/constants.pkl": CONSTANTS }), expected, ["m.pt"]);
  await refusesBytes(archive({ "m/data.pkl": SCRIPT, "m/code/__torch__.py": CODE }), expected, ["m.pt"]);
});

Deno.test("a TorchScript archive may import no more of Python than other torch files", async () => {
  const files = { "m/constants.pkl": CONSTANTS, "m/code/__torch__.py": CODE };
  assert.equal(await inspectBytes(archive({ "m/data.pkl": SCRIPT, ...files }), "m.pt"), true);
  const system = rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R.");
  await refusesBytes(archive({ "m/data.pkl": system, ...files }), /imports os\.system/, ["m.pt"]);
  await refusesBytes(
    archive({ "m/data.pkl": SCRIPT, ...files, "m/extra.pkl": system }),
    /imports os\.system/,
    ["m.pt"],
  );
});

Deno.test("TorchScript code that reads or writes files is refused", async () => {
  for (
    const call of [
      'torch.save(x, "/tmp/x")',
      'ops.aten.save(x, "x")',
      'torch.from_file("/etc/passwd", True, 9)',
    ]
  ) {
    const code = CODE.replace("return x", `_0 = ${call}\n    return x`);
    const files = { "m/data.pkl": SCRIPT, "m/constants.pkl": CONSTANTS, "m/code/__torch__.py": code };
    await refusesBytes(archive(files), /reads or writes files by (torch|ops\.aten)\.(save|from_file)/, [
      "m.pt",
    ]);
  }
});

Deno.test("TorchScript code larger than that of any model is refused before it is read", async () => {
  const entries = [
    { name: "m/data.pkl", content: SCRIPT },
    { name: "m/constants.pkl", content: CONSTANTS },
    // Makes the archive large enough for the stated size of the code.
    { name: "m/data/0", content: new Uint8Array(400_000) },
    { name: "m/code/__torch__.py", content: CODE, method: 8, both: { bytes: 64 * 1024 * 1024 + 1 } },
  ];
  await refusesBytes(rawZip(entries), /has more than 67108864 bytes of code/, ["m.pt"]);
});

const scriptOf = (statement: string) =>
  CODE.replace("return x", `${statement}\n    return x`).replace(
    "  def forward",
    "  ops : Dict[str, int]\n  def forward",
  );

Deno.test("TorchScript code that calls an operator without naming it is refused", async () => {
  const statements = [
    't = torch\n    _0 = t.save(x, "/tmp/x")',
    'o = ops\n    _0 = o.aten.save(x, "/tmp/x")',
    'o = ops.aten\n    _0 = o.save(x, "/tmp/x")',
    'getattr(torch, "sa" "ve")(x, "/tmp/x")',
    'getattr(ops.aten, "save")(x, "/tmp/x")',
    'torch.autograd.save(x, "/tmp/x")',
    'torch.\\\n  save(x, "/tmp/x")',
    '(torch. # why\n  save)(x, "/tmp/x")',
    '(torch # "\n  .save)(x, "/tmp/x")',
    '_0 = ""\n    torch.save(x, "")',
    `_0 = "\\""\n    torch.save(x, '"')`,
    '_0 = """\n"""\n    torch.save(x, "\\"\\"")',
    'ops.image.write_file("/tmp/x", x)',
    'ops.torchaudio.sox_io_load_audio_file("/etc/passwd", None, None, None, None, None)',
    '_0 = "\n    torch.save(x, y)',
  ];
  for (const statement of statements) {
    const files = { "m/data.pkl": SCRIPT, "m/constants.pkl": CONSTANTS };
    await refusesBytes(
      archive({ ...files, "m/code/__torch__.py": scriptOf(statement) }),
      /reads or writes files by|as a value, which allows it to call any operator|not code in the form of TorchScript/,
      ["m.pt"],
    );
  }
});

Deno.test("C++ classes that open files are refused in TorchScript unless they are allowed", async () => {
  const video = "__torch__.torch.classes.torchvision.Video";
  const packed = "__torch__.torch.classes.quantized.LinearPackedParamsBase";
  const files = (name: string) => {
    const module = name.slice(0, name.lastIndexOf("."));
    const type = name.slice(module.length + 1);
    return {
      "m/data.pkl": rawPickle(0x80, 2, global(module, type), ")", 0x81, "}b."),
      "m/constants.pkl": CONSTANTS,
      "m/code/__torch__.py": CODE,
    };
  };
  assert.equal(await inspectBytes(archive(files(packed)), "m.pt"), true);
  await refusesBytes(archive(files(video)), /imports __torch__\.torch\.classes\.torchvision\.Video/, [
    "m.pt",
  ]);
  const made = (name: string) => ({
    ...files(packed),
    "m/code/__torch__.py": scriptOf(`_0 = ${name}.__new__(${name})`),
  });
  assert.equal(await inspectBytes(archive(made(packed)), "m.pt"), true);
  await refusesBytes(archive(made(video)), /uses the class __torch__\.torch\.classes\.torchvision\.Video/, [
    "m.pt",
  ]);
  assert.equal(await inspectBytes(archive(made(video)), "m.pt", [video]), true);
});

Deno.test("TorchScript code is checked under names in any case, as torch finds them", async () => {
  const code = scriptOf('torch.save(x, "/tmp/x")');
  const data = { "m/data.pkl": rawPickle(0x80, 2, ").") };
  const names = [["m/CONSTANTS.pkl", "m/code/__torch__.py"], [
    "m/constants.pkl",
    "m/Code/__torch__.PY",
  ]] as const;
  for (const [constants, file] of names) {
    const content = archive({ ...data, [constants]: CONSTANTS, [file]: code });
    await refusesBytes(content, /reads or writes files by torch\.save/, ["m.pt"]);
  }
});

Deno.test("TorchScript bytecode that writes files is refused, and so is code in its oldest archives", async () => {
  const files = { "m/data.pkl": SCRIPT, "m/constants.pkl": CONSTANTS, "m/code/__torch__.py": CODE };
  const bytecode = (operator: string) =>
    rawPickle(0x80, 2, "X", uint32(operator.length), operator, "X", uint32(0), 0x86, ".");
  assert.equal(
    await inspectBytes(archive({ ...files, "m/bytecode.pkl": bytecode("aten::linear") }), "m.ptl"),
    true,
  );
  await refusesBytes(
    archive({ ...files, "m/bytecode.pkl": bytecode("aten::save") }),
    /reads or writes files by aten::save/,
    ["m.ptl"],
  );
  await refusesBytes(
    archive({ "m/version": "1", "m/model.json": "{}", "m/code/anything": CODE }),
    /TorchScript archive of torch before 1\.4/,
    ["m.pt"],
  );
});

Deno.test("TorchScript code and bytecode of one long word or string are read in one pass", () => {
  const long = "a".repeat(10_000_000);
  for (const quote of ['"', "'", '"""', "'''"]) {
    assert.equal(findCodeProblem(`x = ${quote}${long}${quote}\n`, []), undefined);
    assert.equal(findCodeProblem(`x = ${quote}${"\\n".repeat(1_000_000)}${quote}\n`, []), undefined);
    assert.equal(findCodeProblem(`x = ${quote}${long}`, []), "is not code in the form of TorchScript");
  }
  // A search from each letter would take hours.
  assert.equal(findBytecodeProblem(long), undefined);
  assert.match(findBytecodeProblem(`${long}.aten::_save${long}`) ?? "", /by aten::_save, which/);
});

Deno.test("code that mentions torch in strings, attributes and type names passes", async () => {
  const statements = [
    '_0 = "cannot torch.save ops here, it\'s # of \\"torch\\""',
    `_0 = """two
lines, and "torch" with \\""" of torch.save"""`,
    "_0 = 'torch.save \\'ops\\''",
    '_0 = getattr(self, "0")\n    _1 = self.torch\n    _2 = self.ops',
    '_0 = __torch__.torch.nn.modules.linear.Linear\n    _1 = torch.relu(x)\n    ops.prim.RaiseException("x")',
    "_0 = ops.quantized.linear_dynamic(x, y)",
  ];
  for (const statement of statements) {
    const files = { "m/data.pkl": SCRIPT, "m/constants.pkl": CONSTANTS };
    assert.equal(
      await inspectBytes(archive({ ...files, "m/code/__torch__.py": scriptOf(statement) }), "m.pt"),
      true,
    );
  }
});
