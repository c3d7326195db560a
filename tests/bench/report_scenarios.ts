import { join } from "node:path";
import { median, MIB, ms, seconds } from "./units.ts";
import type { Workbench } from "./workbench.ts";
import { makeWorld, writeModels } from "./world.ts";

/** The time that reporting adds to an unchanged pull, with a dashboard that answers and with one that hangs. */
export async function reportRuns(bench: Workbench): Promise<void> {
  const { trainer, bot } = makeWorld(bench.dir);
  await writeModels(join(trainer, "models"), bench.scale.count(20), bench.scale.bytes(MIB), bench.signal);
  await bench.cli(trainer, "publish");
  await bench.cli(bot, "pull");
  await using answering = startDashboard(() => Promise.resolve(Response.json({})));
  await using hanging = startDashboard(() => new Promise<never>(() => {}));
  for (const [name, { origin }] of Object.entries({ answering, hanging })) {
    const text = Deno.readTextFileSync(join(bot, "configs/bot.yaml"));
    const report = `, report: {url: ${JSON.stringify(origin)}}}\n`;
    Deno.writeTextFileSync(join(bot, `configs/${name}.yaml`), text.replace(/}\n$/, report));
  }
  const pull = async (config: string) =>
    (await bench.cli(bot, "pull", "--config", `configs/${config}.yaml`)).wallMs;
  // The existing history is reported before the measurement.
  await pull("answering");
  // Measured alternately, because the machine's other load changes from second to second.
  const [alone, adds, waits]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < bench.scale.rounds(25); round++) {
    const wallMs = await pull("bot");
    alone.push(wallMs);
    adds.push(await pull("answering") - wallMs);
  }
  for (let round = 0; round < bench.scale.rounds(3); round++) {
    const wallMs = await pull("bot");
    waits.push(await pull("hanging") - wallMs);
  }
  const [added, waited] = [median(adds), median(waits)];
  bench.report(
    {
      what: "time that reporting adds to an unchanged `pull`",
      ours: ms(added),
      theirs: `without: ${ms(median(alone))}`,
      ratio: "",
      wanted: "under 20 ms",
      kept: added < 20,
    },
    {
      what: "the same when the dashboard does not answer",
      ours: seconds(waited),
      theirs: "",
      ratio: "",
      wanted: "under 5.1 s",
      kept: waited < 5_100,
    },
  );
}

interface Dashboard extends AsyncDisposable {
  readonly origin: string;
}

function startDashboard(answer: () => Promise<Response>): Dashboard {
  const closing = new AbortController();
  const options = { hostname: "127.0.0.1", port: 0, signal: closing.signal, onListen: () => {} };
  const server = Deno.serve(options, answer);
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      closing.abort();
      await server.finished;
    },
  };
}
