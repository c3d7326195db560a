import assert from "node:assert/strict";
import { join } from "node:path";
import { HubServer } from "../../fakes/hub_server.ts";
import { REPO } from "./hub_machines.ts";
import { runCli } from "./run_cli.ts";
import { tempDir, writeFiles } from "./temp_dir.ts";

export const MODELS = { "model.bin": "one", "scaler.bin": "two", "selected_features.json": "[]" };

/** A hub, with a trainer and a bot that are configured for it. */
export class HubWorld implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly server: HubServer;

  constructor() {
    Deno.mkdirSync(join(this.path, "objects"));
    this.server = new HubServer(join(this.path, "objects"));
    for (const machine of ["trainer", "bot"]) {
      writeFiles(join(this.path, machine), {
        "configs/bot.yaml": `model_sync: {huggingface: {repo_id: ${REPO}}}\n`,
        ".env": `HF_ENDPOINT=${this.server.endpoint}\nHF_TOKEN=${this.server.token}\n`,
      });
    }
    writeFiles(join(this.path, "trainer/models"), MODELS);
  }

  get path(): string {
    return this.#dir.path;
  }

  /** Runs a command in this process. */
  async run(machine: "trainer" | "bot", command: string, ...args: string[]) {
    return await runCli(command, args, { cwd: join(this.path, machine) });
  }

  async json(
    machine: "trainer" | "bot",
    command: string,
    ...args: string[]
  ): Promise<Record<string, unknown>> {
    const result = await this.run(machine, command, ...args, "--json");
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, "");
    return JSON.parse(result.stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}
