"""A reload endpoint for model-sync's `http` notifications. It needs the standard library only.

    model_sync:
      activation:
        reload:
          - type: http
            url: http://127.0.0.1:8000/reload
            secret_env: RELOAD_SECRET

Start it with the same RELOAD_SECRET. It loads the active release, verifies the signature of each notification, and
answers 200 only after it has loaded the release. Any other answer makes model-sync roll back.
"""

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODELS_DIR = Path(os.environ.get("MODEL_SYNC_MODELS_DIR", "models"))
SECRET = os.environ["RELOAD_SECRET"]
# Standard Webhooks advises five minutes: enough for clocks that differ, too short to replay an old notification.
TOLERANCE_SECONDS = 300
# model-sync sends at most 20 kB.
BODY_BYTES_MAX = 65_536


def key() -> bytes:
    """Returns the key: `whsec_` and base64, or any other text as it is."""
    return base64.b64decode(SECRET[6:]) if SECRET.startswith("whsec_") else SECRET.encode()


def is_signed(headers, body: bytes) -> bool:
    """Returns whether model-sync signed this request within the last minutes (https://www.standardwebhooks.com)."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key(), signed, hashlib.sha256).digest())
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected, signature.encode()) for signature in signatures)


class Models:
    """The loaded release. It is replaced as a whole, so a request uses the models of one release."""

    def __init__(self) -> None:
        self._reloading = threading.Lock()
        self.release = ""
        self.models: dict[str, bytes] = {}

    def load(self) -> None:
        """Loads the active release. If that fails, the loaded one stays."""
        with self._reloading:
            folder = (MODELS_DIR.parent / ".model-sync" / "current").resolve(strict=True)
            if folder.name == self.release:
                return
            # Replace `read_bytes` with your own loader. Raise an exception if a model does not load.
            paths = (path for path in folder.rglob("*") if path.is_file())
            models = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
            self.release, self.models = folder.name, models


MODELS = Models()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/version":
            self.answer(200, {"release": MODELS.release})
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if self.path != "/reload" or not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            return self.answer(400, {"error": "not a reload notification"})
        body = self.rfile.read(int(length))
        if not is_signed(self.headers, body):
            return self.answer(401, {"error": "the signature is wrong or too old"})
        try:
            MODELS.load()
        except Exception as error:
            return self.answer(500, {"error": f"cannot load the models: {error}"})
        wanted = json.loads(body)["digest"].removeprefix("sha256:")
        self.answer(200 if MODELS.release == wanted else 409, {"release": MODELS.release})

    def answer(self, status: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    try:
        MODELS.load()
    except FileNotFoundError:
        print("no release is active yet: waiting for the first notification", flush=True)
    address = ("127.0.0.1", int(os.environ.get("PORT", "8000")))
    server = ThreadingHTTPServer(address, Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
