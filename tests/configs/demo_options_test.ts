import assert from "node:assert/strict";
import { asksForUsage, CARRIERS, parseOptions, USAGE } from "../../configs/demo/demo_options.ts";

Deno.test("the demo plays git and serves nothing unless it is asked to", () => {
  assert.deepEqual(parseOptions([]), { carrier: "git", dashboard: undefined });
  assert.deepEqual(parseOptions(["--carrier", "runpod"]), { carrier: "runpod", dashboard: undefined });
});

Deno.test("--serve, --listen and --fleet end the demo with the dashboard, each with the others' defaults", () => {
  const loopback = { hostname: "127.0.0.1", port: 8080 };
  assert.deepEqual(parseOptions(["--serve"]).dashboard, { address: loopback, nodes: 0 });
  assert.deepEqual(parseOptions(["--fleet", "50"]).dashboard, { address: loopback, nodes: 50 });
  assert.deepEqual(parseOptions(["--listen", "[::1]:9000", "--fleet=1000"]).dashboard, {
    address: { hostname: "::1", port: 9000 },
    nodes: 1_000,
  });
});

Deno.test("--help and -h ask for the usage, which names every option", () => {
  for (const args of [["--help"], ["-h"], ["--fleet", "50", "--help"]]) assert.ok(asksForUsage(args));
  for (const args of [[], ["--serve"], ["--", "--help"]]) assert.ok(!asksForUsage(args));
  for (const option of ["--carrier", "--serve", "--listen", "--fleet", "--help", ...CARRIERS]) {
    assert.ok(USAGE.includes(option), option);
  }
});

for (
  const args of [
    ["--carrier", "pigeon"],
    ["--carrier", "toString"],
    ["--fleet", "0"],
    ["--fleet", "1001"],
    ["--fleet", "many"],
    ["--fleet", "1e3"],
    ["--fleet"],
    ["--listen", "8080"],
    ["--serve=yes"],
    ["--sreve"],
    ["now"],
  ]
) {
  Deno.test(`the demo says what is wrong with ${args.join(" ")}, with exit code 2`, () => {
    assert.throws(() => parseOptions(args), { exitCode: 2 });
  });
}
