"""A backend (FastAPI) that serves the models which model-sync pulled before it started.

`GET /version` reports the digest of the loaded release. Set `redeploy.verify_url` to its address: then
`model-sync redeploy --wait` waits until this backend serves the new release.
"""

import os
from pathlib import Path

from fastapi import FastAPI

MODELS_DIR = Path(os.environ.get("MODEL_SYNC_MODELS_DIR", "models"))


def load() -> tuple[str, dict[str, bytes]]:
    """Returns the digest of the active release and its models.

    The link `current` leads to a complete release whose files never change. It is resolved once, so all models are of
    one release, even if a pull activates the next one meanwhile.
    """
    folder = (MODELS_DIR.parent / ".model-sync" / "current").resolve(strict=True)
    # Replace `read_bytes` with your own loader, for example `joblib.load(path)`.
    models = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return folder.name, models


# Before the first request: a server without models must not report that it is ready.
RELEASE, MODELS = load()

app = FastAPI()


@app.get("/version")
def version() -> dict[str, object]:
    return {"release": RELEASE, "models": sorted(MODELS)}
