import assert from "node:assert/strict";
import { UNSHOWN } from "../../lib/core/control_characters.ts";
import { renderSample, SAMPLES } from "./gallery.tsx";

for (const name of Object.keys(SAMPLES)) {
  Deno.test(`gallery, ${name}: no component shows a missing value, an inline style or an invisible character`, () => {
    const html = renderSample(name);
    assert.doesNotMatch(html, /NaN|undefined|\[object|Infinity/);
    assert.doesNotMatch(html, /\sstyle=|<style|\son[a-z]+=/);
    const text = html.replace(/<[^>]*>/g, "").replaceAll("\n", "");
    assert.equal(text.match(UNSHOWN), null);
  });
}
