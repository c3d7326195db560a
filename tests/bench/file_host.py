"""Serves the files of a folder over HTTP with ranges and sendfile, as nginx would, and prints its address."""

import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(sys.argv[1] + self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start = int(found[1]) if found else 0
            end = min(size, int(found[2]) + 1) if found and found[2] else size
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(end - start))
            self.send_header("ETag", '"1"')
            if found:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            try:
                while start < end:
                    start += os.sendfile(self.wfile.fileno(), file.fileno(), start, end - start)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
