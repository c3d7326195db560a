import { type ApiChoice, type ApiWorld, apiWorld } from "./api_world.ts";

/** A dashboard on loopback, with a database in memory. */
export interface ServedDashboard extends AsyncDisposable {
  readonly origin: string;
  readonly world: ApiWorld;
}

/** Serves the dashboard to a browser. Its clock is the world's. */
export async function serveDashboard(choice: ApiChoice = {}): Promise<ServedDashboard> {
  const world = await apiWorld(choice);
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, signal: closing.signal },
    (request, info) => world.app.fetch(request, info),
  );
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    world,
    [Symbol.asyncDispose]: async () => {
      world.dashboard.live.close();
      closing.abort();
      await server.finished;
      await world[Symbol.asyncDispose]();
    },
  };
}
