#!/usr/bin/env python3
"""A remote backend for tests: prints its port, answers OpenAI's and Anthropic's streaming routes, and appends what it got to a file.

    tests/server/fake_backend.py REQUESTS_FILE
"""
import http.server
import json
import sys

OPENAI = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}, {"choices": [{"delta": {"content": "from "}}]},
          {"choices": [{"delta": {"content": "afar"}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]},
          {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}]
TEXT = [{"choices": [{"text": "from afar", "finish_reason": None}]}, {"choices": [{"text": "", "finish_reason": "length"}]}]
ANTHROPIC = [{"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
             {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
             {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "from afar"}},
             {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}, {"type": "message_stop"}]
ROUTES = {"/v1/chat/completions": OPENAI, "/v1/completions": TEXT, "/v1/messages": ANTHROPIC}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with open(sys.argv[1], "a", encoding="utf-8") as file:
            print(json.dumps({"path": self.path, "body": json.loads(body), "authorization": self.headers.get("authorization"),
                              "x-api-key": self.headers.get("x-api-key"), "expect": self.headers.get("expect")}), file=file)
        if self.path not in ROUTES or b"refuse" in body:
            self.send_error(418, "a teapot")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for chunk in ROUTES[self.path]:
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
