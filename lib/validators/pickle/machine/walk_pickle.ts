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

/** How the walk is to read. */
export interface WalkOptions {
  readonly allowed: PickleAllowList;
  readonly dialect: PickleDialect;
  /** See `MachineOptions`. */
  readonly isCertain: boolean;
  /** See `MachineOptions`. */
  readonly isText?: boolean;
  /** See `MachineOptions`. */
  readonly isForeign?: boolean;
  /** Whether arrays as numpy saves them may stand between the pickles. */
  readonly hasNumpyArrays?: boolean;
  /** What is left for the file, whose walks take from it. */
  readonly budget: OpcodeBudget;
}

/** What the walk met. Nothing of it was refused. */
export interface WalkReport {
  /** Pickles that went to their end. */
  readonly pickles: number;
  readonly imports: number;
  /** Arrays whose bytes stand between opcodes, as joblib writes them. */
  readonly arrays: number;
  /** Where Python would stop with an error; `undefined` when all of the stream is pickles. */
  readonly broken: PickleProblem | undefined;
}

/** By their byte, with what they do. */
const STEPS: readonly (Opcode & { readonly effect: Effect } | undefined)[] = OPCODES.map((opcode) =>
  opcode === undefined ? undefined : { ...opcode, effect: EFFECTS[opcode.name] }
);

/** The first of the pickles of which torch's files consisted before version 1.6. Source: `torch/serialization.py`. */
const TORCH_MAGIC = 0x1950a86a20f9469cfc6cn;

/** What torch wrote one after the other: magic number, protocol, system, object, keys of the storages that follow. */
const TORCH_PICKLES = 5;

/**
 * Walks all pickles of a stream, one after the other, as Python would read them, executing nothing.
 *
 * @throws {PickleProblem} of kind `refused`, at the first thing that is not allowed
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
  /** Pickles and arrays that were begun. */
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

  /** Of an array whose header only Python is sure of, numpy may read the elements as a pickle, or what is behind them. */
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
      "stands behind the header of an array that numpy does not write so",
    );
  }

  /**
   * Behind the pickles of torch's older files are the bytes of tensors. A program that loads one pickle after the other
   * takes them for more of them: what is known to run, load or look up things is refused there too.
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

  /** One pickle, up to its STOP. */
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
        throw machine.broken(`has 0x${code.toString(16).padStart(2, "0")}, which is no opcode`);
      }
      const reading = readArgument(reader, opcode.argument, machine.offset);
      const argument = reading instanceof Promise ? await reading : reading;
      opcode.effect(machine, argument);
      this.counts.imports += machine.imports - imports;
      imports = machine.imports;

      if (opcode.name === "FRAME") {
        // Python's two readers disagree about frames that are not one after the other.
        if (frameEnd !== Infinity) machine.irregular("begins a frame inside of a frame");
        frameEnd = reader.position + Number(argument);
      }
      if (frameEnd !== Infinity && reader.position >= frameEnd) {
        if (reader.position > frameEnd) machine.irregular("goes beyond the end of its frame");
        frameEnd = Infinity;
      }
      if (opcode.name === "STOP") {
        if (frameEnd !== Infinity) machine.irregular("ends inside of a frame");
        const value = machine.stop();
        this.counts.pickles++;
        return value;
      }
      if (machine.array !== undefined) {
        // joblib reads from the file, which stands behind the frame.
        if (frameEnd !== Infinity) throw machine.refused("describes an array inside of a frame");
        await this.#passArray(machine, machine.array);
        machine.array = undefined;
      }
    }
  }

  async #passArray(machine: PickleMachine, array: ArrayPlace): Promise<void> {
    this.counts.arrays++;
    if (array.kind === "pickled") {
      // joblib hands it to Python's own reader, which knows nothing of arrays: this goes no deeper.
      await this.#one({ ...this.#options, dialect: "python" });
      this.counts.pickles--;
      return;
    }
    const padding = array.isPadded ? await this.#readPadding(machine) : 0;
    if (!await this.#reader.skip(padding + array.bytes)) {
      throw machine.broken("ends in the middle of an array");
    }
  }

  async #readPadding(machine: PickleMachine): Promise<number> {
    if (!await this.#reader.fill(1)) throw machine.broken("ends in the middle of an array");
    const padding = this.#reader.uint8();
    if (padding > ALIGNMENT_BYTES) throw machine.refused(`has a padding of ${padding} bytes before an array`);
    return padding;
  }
}
