#!/usr/bin/env python3
"""Small templates and what Python's jinja2, set up as transformers does, renders of them: for tests/text/test_jinja.c.

    python3 tools/jinja-goldens.py > tests/data/chat/jinja.jsonl       (needs the jinja2 package)

Each line: {"template", "variables", "text"}, or "is_error": true where jinja2 refuses.
"""
import json

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

EXPRESSIONS = r"""
1 + 2 * 3 - 4 // 3 % 5|7 // -2|-7 // 2|-7 % 3|7 % -3|2 ** 10|2 ** -1|7 / 2|1.5 + 1|0.1 + 0.2|1e16|1e15|1e-5|0.0001|-0.0|1_000|3.0 // 2
1 < 2 < 3|1 < 3 < 2|1 == 1.0|"a" == 'a'|[1, 2] == [1, 2]|{"a": 1} == {"a": 1.0}|(1,) == [1]|none == false|true == 1|"b" in "abc"|3 not in [1, 2]|"a" in {"a": 1}
not true|true and 0|"" or "x"|none and 1|1 if false|1 if true else 2|missing or "d"|missing is defined|missing|missing == other
"a" ~ 1 ~ none ~ true ~ 1.0|"a" + "b"|"a" * 3|[1] * 2 + [2]|3 * "ab"|"a" "b"|"%s-%d-%05.1f" % ("x", 3, 2.5)|"x" % ()
[1, "a", none, true, 1.5, [2], (3,), {"k": "v"}]|()|(1,)|{}|["it's", 'a"b', "a'b\"c", "tab\t", "é", "\u200b"]|{1: 2, "a": none}
"hello"[1]|"hello"[-1]|"hello"[9]|"hello"[1:3]|"hello"[::-1]|"hello"[::2]|"héllo"[1:2]|[1,2,3][1:]|[1,2,3][:-1]|[1,2,3][::-1]|[1,2,3][5:2]|[1,2,3][-2:]|(1,2,3)[1:]
words[0].name|words[0]["name"]|words[0].missing|words[-1].name|words.0.name|text.upper()|text.missing|d.items() | list|d.keys() | list|d["items"]|d.get("a")|d.get("z")|d.get("z", 5)
" x ".strip()|"xxaxx".strip("x")|"xxaxx".lstrip("x")|"xxaxx".rstrip("x")|"a b  c".split()|"a,b,,c".split(",")|"a,b,c".split(",", 1)|" a b ".split(none, 1)|"a,b,c".rsplit(",", 1)|" a b c ".rsplit(none, 1)
"a\nb\r\nc".splitlines()|"abc".startswith("ab")|"abc".startswith(("x", "a"))|"abc".endswith("bc")|"abc".find("c")|"abc".find("z")|"abca".rfind("a")|"abca".count("a")|"a-b".replace("-", "+")|"aaa".replace("a", "b", 2)|"abc".replace("", "-")
"hello world".title()|"they're".title()|"HELLO wORLD".capitalize()|"abc".isdigit()|"12".isdigit()|"abc".isalpha()|"AB".isupper()|"ab1".islower()|" ".isspace()|"7".zfill(3)|"-7".zfill(4)|"a".ljust(3) ~ "|"|", ".join(["a", "b"])|"a-b-c".partition("-")|"a-b-c".rpartition("-")|"pre-x".removeprefix("pre-")|"x.py".removesuffix(".py")|"{} and {}".format(1, "b")|"{a}{0}".format(1, a=2)
"Hello"|lower|upper|"hello big world" | title|"hELLO" | capitalize|"  x " | trim|"xxaxx" | trim("x")|"they're 5-a" | title|"a b" | replace(" ", "_")|5 | replace(5, "x")|"straße" | upper
[3,1,2] | sort|["b","A","c"] | sort|["b","A","c"] | sort(case_sensitive=true)|[3,1,2] | sort(reverse=true)|words | sort(attribute="name") | map(attribute="name") | list|[1,2,1,"a","A"] | unique | list|[1,2,3] | first|[1,2,3] | last|[] | first|"abc" | first|[1,2,3] | length|"héllo" | length|d | length|none | length
[1,2,3] | join(", ")|["a", 1, none] | join|words | join("+", attribute="name")|words | map(attribute="name") | join(",")|["a","b"] | map("upper") | list|[1,2,3,4] | select("odd") | list|[1,2,3,4] | reject("odd") | list|[0,1,""] | select | list|words | selectattr("n", "equalto", 2) | map(attribute="name") | list|words | selectattr("n", ">", 1) | list | length|words | rejectattr("n", "in", [1, 3]) | map(attribute="name") | list|words | selectattr("flag") | list | length|words | selectattr("flag", "defined") | list | length
[1,2,3] | sum|words | sum(attribute="n")|[1,5,3] | max|[4,2,3] | min|words | max(attribute="n")|[1,2,3,4,5] | batch(2) | list|[1,2,3] | batch(2, "x") | list|[1,2,3,4,5] | slice(2) | list|words | groupby("n") | length|[3,1] | reverse | list|"abc" | reverse|"abc" | list|{"b": 1, "a": 2} | dictsort|{"b": 1, "a": 2} | dictsort(by="value")|{"b": 1, "a": 2} | dictsort(reverse=true)|d | items | list
-3 | abs|"42" | int|"x" | int|"x" | int(7)|3.9 | int|"0x1f" | int(0, 16)|"3.7" | int|"3.5" | float|"z" | float(1.5)|2.5 | round|3.5 | round|2.567 | round(2)|2.1 | round(method="ceil")|42 | round|1234.5 | round(-2)|5 | string ~ "x"|[1] | string
missing | default("x")|none | default("x")|"" | default("x", true)|missing | d|missing | default("x") | upper|"a\nb\n\nc" | indent|"a\nb" | indent(2, true)|"a\n\nb" | indent(2, blank=true)|"ab" | indent("> ", first=true)|"abc" | center(7) ~ "|"|"a b c d e f" | truncate(5, leeway=0)|"abcdefghij" | truncate(5, true, leeway=0)|"a b cd" | wordcount|"<a & 'b'>" | escape|"a b/ü" | urlencode|"%s is %d" | format("x", 5)
d | tojson|[1, 2.0, none, true, "é\n\"\\/<>&'"] | tojson|d | tojson(indent=2)|[] | tojson(indent=2)|[[], {}] | tojson(indent=2)|{"b": 1, "a": 2} | tojson(sort_keys=true)|"é😀" | tojson(ensure_ascii=true)|{"a": [1]} | tojson(separators=(",", ":"))|{"a": 1e20, "b": 1.0} | tojson|missing | tojson|"\u0001\u007f\u2028" | tojson|{1: 2, none: 3, true: 4} | tojson|"x" | tojson(indent="--")|[1] | tojson(indent="--")
1 is number|"a" is string|d is mapping|[1] is iterable|"a" is sequence|[] is sequence|1 is sequence|none is none|true is boolean|1 is integer|true is integer|1.0 is float|3 is odd|4 is even|6 is divisibleby 3|6 is divisibleby(4)|"a" is in ["a"]|1 is eq 1|1 is not eq 1|2 is gt 1|1 is true|true is true|"ab" is lower|"AB" is upper|range is callable|d is callable|"upper" is filter|"odd" is test|d is sameas d|missing is undefined|missing is not defined|1 is defined and 2 is odd|missing is none|words is string
range(5) | list|range(1, 7, 2) | list|range(3, 0, -1) | list|range(0) | list|dict(a=1, b=2)|dict({"x": 1}, y=2)|(range(3) | list)[1]|(1, 2) + (3,)|[1, 2, 3] | list == [1, 2, 3]|[[1, 2], [3]] | map("length") | list|[[1, 2], [3, 4]] | map("join", "-") | list|["a", "b"].index("b")|[1, 1, 2].count(1)
"a" < "b"|"B" < "a"|[1, 2] < [1, 3]|"a" is lt "b"|not 1 == 2|not (1 in [2])|1 + -1|- 5 | abs|-5 | abs|(-5) | abs|1 ~ 2 + 3|2 * "a" ~ 1|"a" if "b" in "abc" else "c"|(1 if 0 else 2) + 1|x.y.z if x is defined else "no"|"\x41\u00e9\n\101\q\
z"|0x10 + 0b11 + 0o7|1.e3 if false else 1|"a.b" is string and "a" in "abc"
"""

ERRORS = r"""
missing.x|missing + 1|1 + "a"|"a" + 1|none + "a"|1 / 0|1 // 0|raise_exception("no")|"a" < 1|missing()|5()|1 | nofilter|1 is notest|[1][0].x.y|{[1]: 2}|"a".join([1])|range(1, 2, 0)|"abc" | int("x", "y", 3, 4)|d.items(5)|1 in 5|none | length|"%d" % "a"|[3, "a"] | sort|"a".split("")|{}.x.y
"""

TEMPLATES = [
    "{% for m in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}:{{ m.name }}\n{% endfor %}",
    "{% for a in [] %}x{% else %}none{% endfor %}",
    "{% for a in [1,2,3,4] if a is even %}{{ a }}/{{ loop.length }} {% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}{% for c in 'añb' %}[{{ c }}]{% endfor %}",
    "{% for i in range(3) %}{% for j in range(2) %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% for i in [1,2,3,4] %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1,2] %}{{ loop.previtem }}|{{ loop.nextitem }};{% endfor %}",
    "{% for i in [1,2,3] %}{{ loop.cycle('a', 'b') }}{% endfor %}{% for i in [1,1,2] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for n in tree recursive %}{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{{ loop.depth }}{% endfor %}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}",
    "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% set ns = namespace(a=1, b='x') %}{% for i in [1,2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}{% set t = 1, 2 %}{{ t }}",
    "{% set x %}a{{ 1 }}b{% endset %}[{{ x }}]{% set y | upper %}abc{% endset %}{{ y }}",
    "{% macro m(a, b=2, c='z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c=5) }} {{ m() }}",
    "{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% macro wrap(x) %}<{{ x }}>{{ caller() }}</{{ x }}>{% endmacro %}{% call wrap('b') %}in{% endcall %}",
    "{% macro each(l) %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) each([1,2]) %}[{{ i }}]{% endcall %}",
    "{% filter upper %}abc{{ 'd' }}{% endfilter %}{% filter replace('a','b') | upper %}aXa{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% raw %}{{ x }} {% if %}{% endraw %}!",
    "a{# comment {{ x }} #}b",
    "a\n{# comment #}\nb\n",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "a  {{- 1 -}}  b",
    "  {% if true %}\n  x\n  {% endif %}\ny\n",
    "  {%+ if true %}\n  x\n  {% endif +%}\ny\n",
    "{% if true +%}\nx{% endif %}",
    "\n\n{% if true %}\n\nx{% endif %}\n\n",
    "x {% if true %} y {% endif %} z",
    "a\r\nb\rc\n{% if true %}\r\nd{% endif %}\r\n",
    "{%- for m in words -%}\n    {{- m.name + '\\n' -}}\n{%- endfor -%}\n",
    "{{ {'a': {'b': 1}}['a']['b'] }}{{ {'x': {}} }}",
    "{% if missing %}a{% elif d.a %}b{% else %}c{% endif %}{% if not missing and 1 %}d{% endif %}",
    "{{ words | selectattr('n', 'equalto', 1) | map(attribute='name') | first | upper }}",
    "{% set content = 'a</think>b' %}{% set c = content.split('</think>')[-1].lstrip('\\n') %}{{ c }}",
    "{{ '{' ~ '}' }}{{ '{{' }}{{ \"%}\" }}",
    "{% set l = [] %}{% for i in [1,2] %}{% set l = l + [i] %}{% endfor %}{{ l }}",
    "{{ not missing }} {{ -d.a }} {{ +3 }} {{ 1, 2 }}",
    "{% for i in missing %}x{% else %}empty{% endfor %}",
    "{{ (words | map(attribute='name')) | join }} {{ words | map(attribute='zzz', default='?') | join }}",
    "{% if 'a' in d and d.a is not none and d['a'] != 2 %}yes{% endif %}",
    "{{ d.items() | list | length }}{{ d | list }}{{ d.values() | list }}",
    "{% macro a() %}{% set y = 5 %}{{ y }}{% endmacro %}{{ a() }}{{ y }}",
    "{{ loop }}", "{{ words[0] }}",
    "{% for a in [1,2] %}{% set outer = loop %}{% for b in [3] %}{{ outer.index }}{{ loop.index }}{% endfor %}{% endfor %}",
    "{% generation %}x{% endgeneration %}" if False else "{{ 1 }}",
    "{{ none }}{{ true }}{{ 1.0 }}{{ [none] }}", "{{ ['a'] * 2 }}",
    "{%- set tools = tools if tools is defined else none -%}{{ tools is none }}",
    "{% for x in [3,1,2]|sort %}{{ x }}{{ ',' if not loop.last }}{% endfor %}",
    "{% set d2 = dict(d, z=1) %}{{ d2 }}",
    "{{ 'abc' is startswith('a') }}",
    "{% if %}{% endif %}", "{% for x %}{% endfor %}", "{{ 1 +}}", "{{ 'a }}", "{% if 1 %}", "{% endif %}", "{{ }}", "{% foo %}", "{# x", "{{ (1 }}", "{{ [1) }}",
    "{% else %}", "{% if 1 %}{% else %}{% else %}{% endif %}", "{% set 1 = 2 %}", "{{ 1 2 }}", "{% set ns.a = 1 %}", "{% set d.a = 1 %}",
    "{% include 'x' %}",
]

VARIABLES = {
    "words": [{"name": "one", "n": 1, "flag": True}, {"name": "two", "n": 2}, {"name": "three", "n": 3, "flag": False}],
    "text": "Hello", "d": {"a": 1, "b": "x", "items": 5}, "tree": [{"v": 1, "c": [{"v": 2}, {"v": 3, "c": [{"v": 4}]}]}, {"v": 5}],
}


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    return made


def split_expressions(text):
    """By bars that have no blank beside them: "a | b" is a filter."""
    import re
    return [part for line in text.strip().split("\n") for part in re.split(r"(?<! )\|(?! )", line)]


def main():
    templates = list(TEMPLATES)
    joined = EXPRESSIONS.replace("\\\nz", "\\\x00z")
    templates += ["{{ " + part.replace("\x00", "\n") + " }}" for part in split_expressions(joined) + split_expressions(ERRORS)]
    for template in templates:
        case = {"template": template, "variables": VARIABLES}
        try:
            case["text"] = environment().from_string(template).render(**VARIABLES)
        except Exception:  # whatever Python raises, the template is refused
            case["is_error"] = True
        case.pop("variables")
        print(json.dumps(case, ensure_ascii=False))


main()
