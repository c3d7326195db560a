import assert from "node:assert/strict";
import { apiWorld } from "../../helpers/api_world.ts";

function words(html: string): string {
  return html.replace(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

Deno.test("the page of an empty fleet names the command that checks the connection of a machine", async () => {
  await using world = await apiWorld();
  assert.match(
    words(await (await world.send("/")).text()),
    /Run model-sync doctor to check the connection\./,
  );
});

Deno.test("the settings explain access without a password before access with one", async () => {
  await using world = await apiWorld();
  const text = words(await (await world.send("/settings")).text());
  assert.match(
    text,
    /Without a password, only this machine .* everything\. Once a password is set: Only people who sign in/,
  );
});
