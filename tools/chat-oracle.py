#!/usr/bin/env python3
"""Chat templates through Python's jinja2, set up as transformers does: the second oracle of tools/chat-goldens.mjs.

Lines {"template", "variables"} on standard input, lines {"text"} or {"error"} on standard output. Needs the jinja2 package.
"""
import datetime
import functools
import json
import sys

import jinja2.ext
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    """{% generation %}: transformers' own, which renders as its body."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise TemplateError(message)


@functools.lru_cache(None)
def compiled(template):
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                extensions=[jinja2.ext.loopcontrols, Generation])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.datetime(2026, 1, 1, 12).strftime(form)
    return environment.from_string(template)


for line in sys.stdin:
    case = json.loads(line)
    try:
        answer = {"text": compiled(case["template"]).render(**case["variables"])}
    except Exception as error:  # whatever Python raises, the conversation is refused
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
