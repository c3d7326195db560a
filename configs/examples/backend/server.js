// A backend (Express) that serves the models which model-sync pulled before it started.
//
// GET /version reports the digest of the loaded release. Set `redeploy.verify_url` to its address: then
// `model-sync redeploy --wait` waits until this backend serves the new release.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const express = require("express");

const modelsDir = path.resolve(process.env.MODEL_SYNC_MODELS_DIR ?? "models");

// The link `current` leads to a complete release whose files never change. It is resolved once, so all models are of one
// release, even if a pull activates the next one meanwhile.
function load() {
  const folder = fs.realpathSync(path.join(path.dirname(modelsDir), ".model-sync", "current"));
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const models = new Map(files.map((entry) => {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    // Replace `readFileSync` with your own loader, for example `await ort.InferenceSession.create(file)`.
    return [path.relative(folder, file), fs.readFileSync(file)];
  }));
  return { release: path.basename(folder), models };
}

// Before the first request: a server without models must not report that it is ready.
const { release, models } = load();

const app = express();
app.get("/version", (_request, response) => {
  response.json({ release, models: [...models.keys()].sort() });
});
const server = app.listen(Number(process.env.PORT ?? 8000), () => {
  process.stdout.write(`listening on port ${server.address().port}\n`);
});
