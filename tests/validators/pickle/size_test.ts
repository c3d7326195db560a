import { PROTO_4, rawPickle, stackGlobal } from "../../helpers/raw_pickle.ts";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";

/** 2^36, little-endian, in so many bytes. */
function padded(bytes: number): Uint8Array {
  const number = new Uint8Array(bytes);
  number[4] = 16;
  return number;
}

/** LONG4. */
function long4(number: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setInt32(0, number.length, true);
  return rawPickle(0x8b, length, number);
}

const SIZES: Readonly<Record<string, Uint8Array>> = {
  "LONG1": rawPickle(0x8a, 5, padded(5)),
  "LONG1, padded to 17 bytes": rawPickle(0x8a, 17, padded(17)),
  "LONG1, padded to 34 bytes": rawPickle(0x8a, 34, padded(34)),
  "LONG1, padded to 255 bytes": rawPickle(0x8a, 255, padded(255)),
  "LONG4, padded to 17 bytes": long4(padded(17)),
  "LONG4, padded to 300 bytes": long4(padded(300)),
  "LONG4, padded to 300,000 bytes": long4(padded(300_000)),
  "INT": rawPickle("I68719476736\n"),
  "INT with leading zeros": rawPickle(`I${"0".repeat(40)}1000000000000\n`),
  "INT with a space": rawPickle("I 68719476736\n"),
  "INT in hexadecimal": rawPickle("I0x1000000000\n"),
  "LONG": rawPickle("L68719476736L\n"),
  "LONG of 100 digits": rawPickle(`L${"9".repeat(100)}L\n`),
  "LONG with leading zeros": rawPickle(`L${"0".repeat(50)}68719476736L\n`),
  "a boolean": rawPickle(0x88),
};

Deno.test("a number in any notation is refused as the argument of bytearray and bytes", async () => {
  for (const [how, size] of Object.entries(SIZES)) {
    for (const name of ["bytearray", "bytes"]) {
      for (const module of ["builtins", "__builtin__"]) {
        const opcodes = rawPickle(PROTO_4, stackGlobal(module, name), size, 0x85, "R.");
        await refusesBytes(opcodes, /with a size|unexpected|has an overlong/, ["m.pkl", "m.dat"]).catch(
          (error) => {
            throw new Error(`${name}(${how})`, { cause: error });
          },
        );
      }
    }
  }
});

Deno.test("large numbers pass if they are only stored", async () => {
  for (const number of Object.values(SIZES).filter((bytes) => bytes[0] === 0x8a || bytes[0] === 0x8b)) {
    await inspectBytes(rawPickle(PROTO_4, "]", number, "a."), "m.pkl");
  }
});
