import assert from "node:assert/strict";
import { deflateSync, gzipSync } from "node:zlib";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { global, PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { rawTar, tarMember } from "../../helpers/raw_tar.ts";
import { rawZip } from "../../helpers/raw_zip.ts";

const CALL = "(S'id'\ntR.";
const NAMES = ["weights.bin", "m.dat", "model", "model.onnx", "notes.txt"];
const NPY = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n";

/** Wrappers from which programs load a pickle, by the name of the file. */
const CARRIERS: Readonly<Record<string, (pickle: Uint8Array) => Uint8Array>> = {
  "m.gz": (pickle) => gzipSync(pickle),
  "m.model": (pickle) => deflateSync(pickle),
  "m.zip": (content) => rawZip([{ name: "model.bin", content }]),
  "m.tar": (content) => rawTar(tarMember({ name: "m.bin", content })),
  "m.npy": (pickle) => rawPickle(0x93, "NUMPY", 1, 0, NPY.length, 0, NPY, pickle),
};

Deno.test("a memo index counts as Python reads it, in any notation", async () => {
  for (const index of ["+1", "01", "00000000001", " 1", "1 ", "\t1", "+0_1", "\r+01\f"]) {
    const pickle = rawPickle(`I5\np1\n0cos\nsystem\np${index}\n0g1\n${CALL}`);
    await refusesBytes(pickle, /imports os\.system/, NAMES);
    const recalled = rawPickle(`I5\np2\n0cos\nsystem\np1\n0g${index}\n${CALL}`);
    await refusesBytes(recalled, /imports os\.system/, NAMES);
    for (const [name, carry] of Object.entries(CARRIERS)) {
      await refusesBytes(carry(pickle), /imports os\.system/, [name, "m"]);
    }
  }
});

Deno.test("a memo index that only one of Python's readers accepts makes the whole memo uncertain", async () => {
  const names = rawPickle("S'os'\np", "1", 0, "x\n0S'system'\np2\n0g1\ng2\n", 0x93, CALL);
  await refusesBytes(rawPickle("I5\np1\n0", names), /name is not a constant|as no pickler does/, NAMES);
  await refusesBytes(rawPickle("I5\np1\n0cos\nsystem\np1", 0, "x\n0g1\n", CALL), /imports os\.system/, NAMES);
  await refusesBytes(
    rawPickle(`I5\np1\n0cos\nsystem\np${"0".repeat(5000)}1\n0g1\n${CALL}`),
    /os\.system/,
    NAMES,
  );
});

/** Bytes that stop Python, after it executed the opcodes before them. */
const BREAKS: Readonly<Record<string, Uint8Array>> = {
  "a byte that is not an opcode": rawPickle(0),
  "an empty stack": rawPickle("00"),
  "a missing mark": rawPickle("t"),
  "a missing memo entry": rawPickle("h", 9),
  "a constant that is called": rawPickle("K", 5, ")R."),
  "an import whose name is not text": rawPickle("K", 5, "K", 5, 0x93),
  "a protocol that does not exist": rawPickle(0x80, 77),
  "a missing buffer": rawPickle(0x97),
  "a number without digits": rawPickle("Ix\n", 0),
  "a payload longer than the file": rawPickle("X", uint32(0x7fffffff), "a"),
  "a negative length": rawPickle("T", uint32(0xffffffff)),
  "a frame longer than any file": rawPickle(0x95, uint32(0), uint32(0xffffffff)),
  "the end of the file": rawPickle("N", 0x8c, 4, "a"),
};

const IMPORTS: Readonly<Record<string, Uint8Array>> = {
  "by two lines": rawPickle("cantigravity\nx\n"),
  "from the stack": rawPickle(stackGlobal("antigravity", "x")),
  "from the stack, in disguise": rawPickle("V\\u0061ntigravity\n", text("x"), 0x93),
  "by INST, without its mark": rawPickle("iantigravity\nx\n"),
  "of a name that attributes cannot have": rawPickle("cantigravity\nnot a name\n"),
  "of an empty name": rawPickle("cantigravity\n\n"),
  "of a name longer than any": rawPickle(`cantigravity\n${"x".repeat(5000)}\n`),
  "of a module with an unknown name": rawPickle("cmy_module\nx\n"),
  "of a folder that is not an identifier": rawPickle("cmy-module\nx\n"),
  "of a module in letters other than ASCII": rawPickle("cmödul\nx\n"),
  "after something else": rawPickle("](N", global("my_module", "x")),
};

for (const [what, imported] of Object.entries(IMPORTS)) {
  Deno.test(`an import ${what} is refused, even if Python stops right after it`, async () => {
    const refusal =
      /imports (antigravity\.|my.module\.x|mödul\.x|something whose name is not a constant)|letters are hidden by escapes/;
    for (const end of Object.values(BREAKS)) {
      // A file with a NUL is not plain text.
      const pickle = rawPickle(imported, end, 0);
      await refusesBytes(pickle, refusal, ["weights.bin", "notes.txt"]);
      await refusesBytes(rawPickle(PROTO_4, pickle), refusal, ["model"]);
    }
    for (const [name, carry] of Object.entries(CARRIERS)) {
      await refusesBytes(carry(rawPickle(imported, 0)), refusal, [name]);
    }
  });
}

Deno.test("a text that imports an existing module is refused", async () => {
  const texts = [
    "cantigravity\nx\n",
    "cthis\nand that\n",
    "cidlelib.idle\nmain\n",
    "csklearn.datasets\nfetch\n",
    "cos\nsystem\n",
    "]cantigravity\nx\n",
    "iantigravity\nx\n",
    "Vantigravity\nVx\nqÓ",
    "V\\u0061ntigravity\nVx\nqÓ",
  ];
  for (const content of texts) await refusesBytes(rawPickle(content), /imports /, ["notes.txt", "m.bin"]);
});

Deno.test("lists of words, tables and numbers are not taken for pickles", async () => {
  const texts = [
    "car\nbus\n",
    "cat\ndog\ncafé\n",
    "cos\nsin\ntan\n",
    "cast\ncrew\n",
    "ctime\n12:00\n",
    "cnt\n12\n",
    "carray\ncstring\n",
    "ctest\nbuild\n",
    "close,volume\n1,2\n",
    "in\nthe\nbeginning\n",
    "Paris\nLondon\n",
    "pan\npot\n",
    "get\nset\n",
    "I\nyou\n",
    "c\n\nd\n",
    `c${"o".repeat(5000)}l\nx\n`,
    `cat\ndog\n${"é".repeat(400)}`,
  ];
  for (const content of texts) {
    for (const name of ["vocabulary.txt", "labels", "classes.csv", "m.bin"]) {
      await inspectBytes(rawPickle(content), name);
      await inspectBytes(gzipSync(content), `${name}.gz`);
      await inspectBytes(rawZip([{ name, content: rawPickle(content) }]), "texts.zip");
    }
  }
  const numbers = [
    rawPickle("c", new Uint8Array(40), "\n", new Uint8Array(40), "\nx"),
    rawPickle("c", 0xff, 0xfe, "\nabc\n", 0),
    rawPickle("cabc\n", 0xff, 0xfe, "\n", 0),
    rawPickle("c", 1, 2, 3, "\n", 1, "\n", 0),
    rawPickle(0xff, 0xfe, "c", 0, "a", 0, "\n", 0, "b", 0, "\n", 0),
  ];
  for (const content of numbers) await inspectBytes(content, "weights.bin");
});

Deno.test("a frame of any length that one of Python's readers accepts does not end the walk", async () => {
  for (const length of [[0, 0x200000], [0, 0x7fffffff], [0xffffffff, 0x7fffffff], [1000, 0]] as const) {
    const frame = rawPickle(0x95, uint32(length[0]), uint32(length[1]));
    const system = rawPickle(stackGlobal("os", "system"), text("id"), 0x85, "R.");
    await refusesBytes(rawPickle(frame, system), /imports os\.system/, NAMES);
    await refusesBytes(rawPickle(PROTO_4, frame, system), /imports os\.system/, [...NAMES, "m.pkl"]);
    await refusesBytes(rawPickle(frame, global("my_module", "x"), 0), /imports my_module\.x/, NAMES);
  }
  await inspectBytes(rawPickle(0x95, uint32(0), uint32(0x80000000), global("my_module", "x")), "weights.bin");
});

Deno.test("a memo entry of an earlier pickle does not count as an error", async () => {
  // One `pickle.Unpickler` that loads twice keeps its memo.
  const first = rawPickle(text("os"), 0x94, text("system"), 0x94, ".");
  await refusesBytes(rawPickle(first, "h", 0, "h", 1, 0x93, CALL), /not a constant|of another pickle/, NAMES);
});

Deno.test("more imports than the largest model has are refused, even if each is allowed", async () => {
  const imports = Array.from({ length: 10_001 }, (_, index) => rawPickle(`cbot\nM${index}\n0`));
  await assert.rejects(inspectBytes(rawPickle(...imports, "N."), "m.pkl", ["bot.*"]), {
    code: "VALIDATION_FAILED",
    message: /imports more than 10000 globals/,
  });
});

Deno.test("a text that is longer than any name is not the name of a module, in any notation", async () => {
  const notations: Readonly<Record<string, (value: string) => Uint8Array>> = {
    BINUNICODE: (value) => rawPickle("X", uint32(value.length), value),
    BINSTRING: (value) => rawPickle("T", uint32(value.length), value),
    UNICODE: (value) => rawPickle("V", value, "\n"),
    STRING: (value) => rawPickle("S'", value, "'\n"),
  };
  const [longest, longer] = ["m".repeat(256), "m".repeat(257)];
  for (const [notation, write] of Object.entries(notations)) {
    const imported = (module: string, name: string) => rawPickle(write(module), write(name), 0x93, "0N.");
    await refusesBytes(imported(longest, longest), /imports m{200}/, ["m.pkl"]);
    for (const [module, name] of [[longer, "x"], ["bot", longer]] as const) {
      await refusesBytes(imported(module, name), /name is not a constant/, ["m.pkl", notation]);
    }
  }
  await refusesBytes(rawPickle(global(longest, "x"), "0N."), /imports m{256}\.x at/, ["m.pkl"]);
  await refusesBytes(rawPickle(global(longer, "x"), "0N."), /name is not a constant/, ["m.pkl"]);
  await refusesBytes(rawPickle(global("bot", longest), "0N."), /imports bot\.m{256} at/, ["m.pkl"]);
  await refusesBytes(rawPickle(global("bot", longer), "0N."), /imports bot\.m{256}\.\.\. at/, ["m.pkl"]);
});
