import { UsageError } from "../../core/errors.ts";
import { type FileSystem, findText, UnusableFileError } from "../../core/files.ts";
import { quote } from "../../core/quote.ts";
import type { Feed, VectorInput, Vectors } from "./try_protocol.ts";
import { describeValue, NUMBER_TYPES, type OnnxValue } from "./value_info.ts";

const FLOATS = new Set(["float16", "float32", "float64"]);

/** An image of 16 megapixels. One vector is in memory at a time, with the model's intermediate results. */
const VECTOR_NUMBERS_MAX = 64 * 1024 * 1024;

/** The user's own vectors are some hundred rows of numbers. They are sent in one request. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** A batch of images has four levels. */
const ARRAY_NESTING_MAX = 32;

/**
 * The number of vectors for a model without an active one. Measuring drift takes many; a few show that a model computes
 * at all. 200 vectors take a minute with a model for images.
 */
export const LONE_VECTORS_MAX = 8;

export type VectorPlan = Vectors | { readonly kind: "impossible"; readonly reason: string };

/**
 * Plans random vectors for these inputs. An open size becomes the active model's fixed size, or 1.
 *
 * @param active the inputs of the active model, which gets the same vectors
 */
export function planVectors(
  count: number,
  inputs: readonly OnnxValue[],
  active: readonly OnnxValue[],
): VectorPlan {
  const others = new Map(active.map((value) => [value.name, value]));
  const planned: VectorInput[] = [];
  let isGuess = false;
  let numbers = 0;
  for (const input of inputs) {
    if (!NUMBER_TYPES.has(input.type) || input.shape === undefined) {
      const reason = `no vectors were computed, because its input ${quote(input.name)} is ${
        describeValue(input)
      }`;
      return { kind: "impossible", reason };
    }
    const other = others.get(input.name)?.shape;
    const dims = input.shape.map((size, index) => numberOf(size) ?? numberOf(other?.[index]) ?? 1);
    // The first dimension is the batch. Another open one may have to match a size within the model.
    const isOpen = input.shape.some((size, index) => index > 0 && typeof size !== "number");
    if (isOpen || !FLOATS.has(input.type)) isGuess = true;
    numbers += product(dims);
    planned.push({ name: input.name, type: input.type, dims });
  }
  if (numbers > VECTOR_NUMBERS_MAX) {
    const reason =
      `no vectors were computed, because one would be ${numbers} numbers, more than ${VECTOR_NUMBERS_MAX}`;
    return { kind: "impossible", reason };
  }
  return { kind: "made", count, inputs: planned, isGuess };
}

/**
 * Reads vectors from a JSON file: a list, of which each element is an object (`{"features": [[1, 2]]}`) or, for a model
 * with one input, that input's array. A flat array is taken for any shape that has as many numbers.
 *
 * @returns the vectors, or what about them does not fit the model
 * @throws {UsageError} when the file is not there, too large, no JSON or no list
 */
export function readVectors(
  fs: FileSystem,
  path: string,
  inputs: readonly OnnxValue[],
): Vectors | { readonly kind: "misfit"; readonly problem: string } {
  const vectors: Feed[][] = [];
  for (const [index, vector] of readList(fs, path).entries()) {
    const feeds: Feed[] = [];
    for (const input of inputs) {
      const isAlone = inputs.length === 1 && Array.isArray(vector);
      const value = isAlone ? vector : propertyOf(vector, input.name);
      const feed = fit(value, input);
      if (feed === undefined) {
        const what = `${quote(input.name)}, ${describeValue(input)}`;
        return { kind: "misfit", problem: `vector ${index + 1} of ${path} does not fit its input ${what}` };
      }
      feeds.push(feed);
    }
    vectors.push(feeds);
  }
  return { kind: "given", vectors };
}

function readList(fs: FileSystem, path: string): readonly unknown[] {
  const unusable = (problem: string, cause?: unknown) =>
    new UsageError(`Cannot use the sanity vectors in ${path}: ${problem}`, {
      code: "SANITY_VECTORS",
      cause,
      hint:
        "set activation.validate.onnx.sanity_vectors to a number, or to the path of a JSON file with a list of vectors",
    });
  try {
    const text = findText(fs, path, FILE_BYTES_MAX);
    if (text === undefined) throw unusable("the file does not exist");
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list) || list.length === 0) throw unusable("it does not hold a list of vectors");
    return list;
  } catch (error) {
    if (error instanceof UnusableFileError) throw unusable(error.reason, error);
    if (error instanceof SyntaxError) throw unusable("it is not JSON", error);
    throw error;
  }
}

function propertyOf(vector: unknown, name: string): unknown {
  if (typeof vector !== "object" || vector === null || !Object.hasOwn(vector, name)) return undefined;
  return Reflect.get(vector, name);
}

/** Converts a value to the input's type and shape; `undefined` when it does not fit. */
function fit(value: unknown, { name, type, shape }: OnnxValue): Feed | undefined {
  const flat: (number | string)[] = [];
  const dims = flatten(value, flat, 0);
  if (dims === undefined || !flat.every((element) => isOf(type, element))) return undefined;
  const isShaped = shape === undefined ||
    shape.length === dims.length &&
      shape.every((size, index) => typeof size !== "number" || size === dims[index]);
  if (isShaped) return { name, type, dims, data: flat };
  const filled = shape.map((size) => numberOf(size) ?? 1);
  return dims.length <= 1 && product(filled) === flat.length
    ? { name, type, dims: filled, data: flat }
    : undefined;
}

function isOf(type: string, element: number | string): boolean {
  if (type === "string") return typeof element === "string";
  if (typeof element !== "number") return false;
  return FLOATS.has(type) || NUMBER_TYPES.has(type) && Number.isSafeInteger(element);
}

/** Appends the numbers and strings of nested arrays, and returns their shape; `undefined` for a ragged array. */
function flatten(value: unknown, flat: (number | string)[], depth: number): number[] | undefined {
  if (typeof value === "boolean") flat.push(Number(value));
  if (typeof value === "number" || typeof value === "string") flat.push(value);
  if (!Array.isArray(value)) {
    return ["boolean", "number", "string"].includes(typeof value) ? [] : undefined;
  }
  if (depth > ARRAY_NESTING_MAX) return undefined;
  let inner: number[] | undefined;
  for (const element of value) {
    const dims = flatten(element, flat, depth + 1);
    if (dims === undefined || inner !== undefined && inner.join() !== dims.join()) return undefined;
    inner = dims;
  }
  return [value.length, ...inner ?? []];
}

function numberOf(size: number | string | null | undefined): number | undefined {
  return typeof size === "number" ? size : undefined;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}
