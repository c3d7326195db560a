import { LoadCost } from "../cost/load_cost.ts";
import { type OpcodeBudget, PICKLE_LIMITS } from "../limits.ts";
import { ALIGNMENT_BYTES, type ArrayPlace } from "../numpy/joblib_array.ts";
import { readNpyHeader } from "../numpy/npy_header.ts";
import { PickleProblem } from "../pickle_problem.ts";
import { PickleReader } from "../pickle_reader.ts";
import type { PickleSource } from "../pickle_source.ts";
import type { PickleValue } from "../pickle_value.ts";
import type { PickleAllowList, PickleDialect } from "../rules/rule.ts";
import { MissingImports } from "./import_findings.ts";
import { FIXED_BYTES_MAX, readArgument } from "./opcode_argument.ts";
import { type Effect, EFFECTS } from "./opcode_effects.ts";
import { type Opcode, OPCODES } from "./opcodes.ts";
import { PickleMachine } from "./pickle_machine.ts";

/** How the stream is read. */
export interface WalkOptions {
  readonly allowed: PickleAllowList;
  readonly dialect: PickleDialect;
  /** See `MachineOptions`. */
  readonly isCertain: boolean;
  /** See `MachineOptions`. */
  readonly isText?: boolean;
  /** See `MachineOptions`. */
  readonly isForeign?: boolean;
  /** Whether arrays in numpy's file format may stand between the pickles. */
  readonly hasNumpyArrays?: boolean;
  /** The budget of the file, shared by all its walks. */
  readonly budget: OpcodeBudget;
}

/** The result of a walk without a refusal. */
export interface WalkReport {
  /** The number of pickles that reached their STOP. */
  readonly pickles: number;
  readonly imports: number;
  /** The number of arrays whose bytes stand between opcodes, as joblib writes them. */
  readonly arrays: number;
  /** The problem at which Python would stop; `undefined` if the whole stream is pickles. */
  readonly broken: PickleProblem | undefined;
}

/** The opcodes with their effects, by their byte. */
const STEPS: readonly (Opcode & { readonly effect: Effect } | undefined)[] = OPCODES.map((opcode) =>
  opcode === undefined ? undefined : { ...opcode, effect: EFFECTS[opcode.name] }
);

/** The first pickle in files of torch before version 1.6. Source: `torch/serialization.py`. */
const TORCH_MAGIC = 0x1950a86a20f9469cfc6cn;

/** The pickles in such a file: magic number, protocol, system, object, keys of the storages behind them. */
const TORCH_PICKLES = 5;

/**
 * Walks all pickles of a stream as Python would read them, without executing anything.
 *
 * @throws {PickleProblem} of kind `refused`, for the first problem
 */
export async function walkPickles(source: PickleSource, options: WalkOptions): Promise<WalkReport> {
  const walk = new Walk(new PickleReader(source), options);
  const { missing } = walk;
  try {
    await walk.all();
    if (missing.refusal !== undefined) throw missing.refusal;
    return { ...walk.counts, broken: undefined };
  } catch (error) {
    if (!(error instanceof PickleProblem)) throw error;
    const problem = missing.refusal ?? error;
    if (problem.kind !== "broken") throw problem.withImports(missing.names);
    return { ...walk.counts, broken: problem };
  } finally {
    await source.close();
  }
}

class Walk {
  readonly #reader: PickleReader;
  readonly #options: WalkOptions;
  /** The number of pickles and arrays that began. */
  #starts = 0;
  readonly #cost: LoadCost;
  readonly missing = new MissingImports();
  readonly counts = { pickles: 0, imports: 0, arrays: 0 };

  constructor(reader: PickleReader, options: WalkOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#cost = new LoadCost(options.budget);
  }

  async all(): Promise<void> {
    let { dialect } = this.#options;
    do {
      const elements = this.#options.hasNumpyArrays === true ? await readNpyHeader(this.#reader) : undefined;
      this.#countStart();
      if (elements?.kind === "nothing") return;
      if (elements?.kind === "unknown") return await this.#refuseElements(dialect);
      if (elements?.kind === "bytes") {
        if (!await this.#reader.skip(elements.bytes)) return;
        continue;
      }
      const isCertain = this.#options.isCertain ||
        (elements !== undefined && this.#options.isForeign !== true);
      const value = await this.#one({ ...this.#options, dialect, isCertain });
      if (this.counts.pickles === 1 && value === TORCH_MAGIC) dialect = "torch";
      else if (dialect === "torch" && this.counts.pickles === TORCH_PICKLES) return await this.#tensors();
    } while (await this.#reader.fill(1));
  }

  #countStart(): void {
    if (++this.#starts <= PICKLE_LIMITS.pickles) return;
    const problem = `is one of more than ${PICKLE_LIMITS.pickles} pickles`;
    throw new PickleProblem("refused", this.#reader.position, problem);
  }

  /** Refuses an array with an unusual header: numpy may read the elements, or the bytes behind them, as a pickle. */
  async #refuseElements(dialect: PickleDialect): Promise<never> {
    const offset = this.#reader.position;
    try {
      await this.#one({ ...this.#options, dialect });
    } catch (error) {
      if (!(error instanceof PickleProblem) || error.kind !== "broken") throw error;
    }
    throw new PickleProblem(
      "refused",
      offset,
      "follows an array header that numpy does not write",
    );
  }

  /**
   * Walks the bytes of tensors behind the pickles in old files of torch. A program that loads one pickle after the other
   * takes them for pickles, so known gadgets are refused there, too.
   */
  async #tensors(): Promise<void> {
    const options = { ...this.#options, isCertain: false, isForeign: true, isText: false };
    try {
      while (await this.#reader.fill(1)) {
        this.#countStart();
        await this.#one({ ...options, dialect: "python" });
      }
    } catch (error) {
      if (!(error instanceof PickleProblem) || error.kind !== "broken") throw error;
    }
  }

  /** Walks one pickle up to its STOP. */
  async #one(options: WalkOptions): Promise<PickleValue> {
    const isRest = options.isForeign === true && this.counts.pickles > 0;
    const isLater = !isRest && this.counts.pickles > 0;
    const { missing } = this;
    const machine = new PickleMachine({ ...options, cost: this.#cost, missing, isRest, isLater });
    try {
      return await this.#run(machine);
    } catch (error) {
      const isBroken = error instanceof PickleProblem && error.kind === "broken";
      throw isBroken ? machine.whereBroken(error) : error;
    }
  }

  async #run(machine: PickleMachine): Promise<PickleValue> {
    const reader = this.#reader;
    const { budget } = this.#options;
    let frameEnd = Infinity;
    let imports = 0;
    while (true) {
      if (!reader.has(1 + FIXED_BYTES_MAX) && !await reader.fill(1 + FIXED_BYTES_MAX) && !reader.has(1)) {
        machine.offset = reader.position;
        throw machine.broken("ends before its STOP");
      }
      machine.offset = reader.position;
      machine.steps++;
      if (--budget.left < 0) throw machine.refused(`has more than ${budget.max} opcodes${budget.reason}`);
      const code = reader.uint8();
      const opcode = STEPS[code];
      if (opcode === undefined) {
        throw machine.broken(`has the invalid opcode 0x${code.toString(16).padStart(2, "0")}`);
      }
      const reading = readArgument(reader, opcode.argument, machine.offset);
      const argument = reading instanceof Promise ? await reading : reading;
      opcode.effect(machine, argument);
      this.counts.imports += machine.imports - imports;
      imports = machine.imports;

      if (opcode.name === "FRAME") {
        // Python's two readers disagree about overlapping frames.
        if (frameEnd !== Infinity) machine.irregular("begins a frame inside a frame");
        frameEnd = reader.position + Number(argument);
      }
      if (frameEnd !== Infinity && reader.position >= frameEnd) {
        if (reader.position > frameEnd) machine.irregular("exceeds its frame");
        frameEnd = Infinity;
      }
      if (opcode.name === "STOP") {
        if (frameEnd !== Infinity) machine.irregular("ends inside a frame");
        const value = machine.stop();
        this.counts.pickles++;
        return value;
      }
      if (machine.array !== undefined) {
        // Python has read the whole frame into memory, so joblib would read the array from behind the frame.
        if (frameEnd !== Infinity) throw machine.refused("describes an array inside a frame");
        await this.#passArray(machine, machine.array);
        machine.array = undefined;
      }
    }
  }

  async #passArray(machine: PickleMachine, array: ArrayPlace): Promise<void> {
    this.counts.arrays++;
    if (array.kind === "pickled") {
      // joblib reads it by Python's own reader, which does not know joblib's arrays, so there is no recursion.
      await this.#one({ ...this.#options, dialect: "python" });
      this.counts.pickles--;
      return;
    }
    const padding = array.isPadded ? await this.#readPadding(machine) : 0;
    if (!await this.#reader.skip(padding + array.bytes)) {
      throw machine.broken("is cut off in an array");
    }
  }

  async #readPadding(machine: PickleMachine): Promise<number> {
    if (!await this.#reader.fill(1)) throw machine.broken("is cut off in an array");
    const padding = this.#reader.uint8();
    if (padding > ALIGNMENT_BYTES) throw machine.refused(`has a padding of ${padding} bytes before an array`);
    return padding;
  }
}
